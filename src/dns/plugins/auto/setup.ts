import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { absolute, foldName, isDomainName } from "../../../decide/dns/name.ts";
import type { Timer } from "../../../lib/clock.ts";
import { errorMessage } from "../../../lib/errors.ts";
import { goRegExp, groupCount } from "../../corefile/go-regexp.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { blockPath } from "../../corefile/sources.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import type { PluginEntry, PluginEnvironment } from "../../plugin.ts";
import { loadZone } from "../file/load.ts";
import { readReload } from "../file/setup.ts";
import { zoneHandler } from "../file/zone-handler.ts";
import { ZoneStore } from "../file/zone-store.ts";

interface AutoSettings {
  directory: string | undefined;
  pattern: RegExp;
  /** Origin from the groups of the pattern: `{1}`. */
  template: string;
  /** 0: only once. */
  reloadMs: number;
  fallthrough: readonly string[] | undefined;
}

const defaultReloadMs = 60_000;

export const auto: PluginEntry = {
  name: "auto",
  setup(reader, block) {
    reader.next();
    const zones = zonesOrBlock(reader.args(), block.zones);
    const settings: AutoSettings = {
      directory: undefined,
      pattern: /db\.(.*)/,
      template: "{1}",
      reloadMs: defaultReloadMs,
      fallthrough: undefined,
    };
    while (reader.nextInBlock()) readProperty(reader, settings, (path) => blockPath(block, path));
    if (settings.directory === undefined) throw reader.error("directory is required");
    const store = new ZoneStore();
    const walker = new DirectoryWalker({ ...settings, directory: settings.directory }, store, block.environment);
    const handler = zoneHandler({
      name: "auto",
      origins: () =>
        store.origins().filter((origin) => zones.some((zone) => origin === zone || zone === "." || origin.endsWith(`.${zone}`))),
      zone: (origin) => store.get(origin),
      fallthrough: () => settings.fallthrough,
      source: store.answers,
    });
    return { handlers: [handler], zones: store, start: () => walker.start(), stop: () => walker.stop() };
  },
};

function readProperty(reader: TokenReader, settings: AutoSettings, path: (text: string) => string): void {
  switch (reader.value) {
    case "directory":
      return readDirectory(reader, settings, path);
    case "reload":
      settings.reloadMs = readReload(reader);
      return;
    case "fallthrough":
      settings.fallthrough = zonesOrBlock(reader.args(), ["."]);
      return;
    case "upstream":
      reader.args();
      return;
    default:
      throw reader.error(`unknown property '${reader.value}'; expected directory, reload or fallthrough`);
  }
}

/** DIR [REGEXP ORIGIN_TEMPLATE] */
function readDirectory(reader: TokenReader, settings: AutoSettings, path: (text: string) => string): void {
  const [directory, source, template, ...more] = reader.args();
  if (directory === undefined || more.length > 0 || (source !== undefined && template === undefined)) throw reader.argumentError();
  settings.directory = path(directory);
  if (source === undefined || template === undefined) return;
  try {
    settings.pattern = goRegExp(source);
  } catch (error) {
    throw reader.error(`invalid regular expression ${source}: ${errorMessage(error)}`, error);
  }
  settings.template = template;
  const used = [...template.matchAll(/\{(\d+)\}/g)].map(([, group]) => Number(group));
  if (used.some((group) => group > groupCount(settings.pattern)))
    throw reader.error(`${template} names a group that ${source} does not have`);
}

/** Zones come and go with their files. */
class DirectoryWalker {
  readonly #settings: AutoSettings & { readonly directory: string };
  readonly #store: ZoneStore;
  readonly #environment: PluginEnvironment;
  #timer: Timer | undefined;

  constructor(settings: AutoSettings & { readonly directory: string }, store: ZoneStore, environment: PluginEnvironment) {
    this.#settings = settings;
    this.#store = store;
    this.#environment = environment;
  }

  start(): void {
    this.walk();
    const { reloadMs } = this.#settings;
    if (reloadMs > 0) this.#timer = this.#environment.clock.after(reloadMs, () => this.start());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  walk(): void {
    const found = this.#files();
    if (found === undefined) return;
    for (const [origin, path] of found) this.#load(origin, path);
    for (const origin of this.#store.origins()) if (!found.has(origin)) this.#store.delete(origin);
  }

  /** Origin → file; the first in order of names has it. Undefined: the directory cannot be read. */
  #files(): ReadonlyMap<string, string> | undefined {
    const { directory } = this.#settings;
    let names: string[];
    try {
      names = readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() || entry.isSymbolicLink())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort();
    } catch (error) {
      this.#environment.log.error(`auto: ${directory} cannot be read; the zones in use stay`, { error: errorMessage(error) });
      return undefined;
    }
    const found = new Map<string, string>();
    for (const path of names) {
      const origin = this.#origin(basename(path));
      if (origin === undefined) continue;
      const other = found.get(origin);
      if (other === undefined) found.set(origin, path);
      else this.#environment.log.warn(`auto: ${path} is zone ${origin} too, which ${other} is already`);
    }
    return found;
  }

  #origin(name: string): string | undefined {
    const groups = this.#settings.pattern.exec(name);
    if (groups === null) return undefined;
    const origin = this.#settings.template.replace(/\$?\{(\d+)\}/g, (_, group: string) => groups[Number(group)] ?? "");
    return isDomainName(origin) ? foldName(absolute(origin)) : undefined;
  }

  #load(origin: string, path: string): void {
    const loaded = loadZone(path, origin, this.#environment.sources);
    if (loaded.kind === "ok") {
      const soa = loaded.records.find(({ data }) => data.kind === "soa")?.data;
      if (soa?.kind === "soa" && soa.serial === this.#store.serial(origin)) return;
    }
    const reason = loaded.kind === "error" ? loaded.reason : this.#store.set(origin, loaded.records);
    if (reason !== undefined) this.#environment.log.error(`auto: zone ${origin} is not read`, { path, reason });
  }
}
