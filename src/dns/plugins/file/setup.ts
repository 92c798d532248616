import type { Timer } from "../../../lib/clock.ts";
import { parseDuration } from "../../corefile/duration.ts";
import { blockPath } from "../../corefile/sources.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import type { BlockContext, PluginEntry } from "../../plugin.ts";
import { loadZone } from "./load.ts";
import { zoneHandler } from "./zone-handler.ts";
import { ZoneStore } from "./zone-store.ts";

const defaultReloadMs = 60_000;

interface ZoneFileEntry {
  readonly path: string;
  readonly origins: readonly string[];
  readonly reloadMs: number;
  /** Whether a newer file is a newer zone; else a newer serial is. */
  readonly byTime: boolean;
}

export const file: PluginEntry = {
  name: "file",
  setup(reader, block) {
    const store = new ZoneStore();
    const fallthrough = new Map<string, readonly string[]>();
    const entries: ZoneFileEntry[] = [];
    const origins: string[] = [];
    while (reader.next()) {
      const entry = readEntry(reader, block, fallthrough);
      entries.push(entry);
      origins.push(...entry.origins);
      for (const origin of entry.origins) loadOrThrow(reader, block, store, entry.path, origin);
    }
    const reload = new Reloader(entries, store, block);
    const handler = zoneHandler({
      name: "file",
      origins: () => origins,
      zone: (origin) => store.get(origin),
      fallthrough: (origin) => fallthrough.get(origin),
      source: store.answers,
    });
    return { handlers: [handler], zones: store, start: () => reload.start(), stop: () => reload.stop() };
  },
};

/** FILE [ZONES...] */
function readEntry(reader: TokenReader, block: BlockContext, fallthrough: Map<string, readonly string[]>): ZoneFileEntry {
  const [name, ...zones] = reader.args();
  if (name === undefined) throw reader.argumentError();
  const origins = zonesOrBlock(zones, block.zones);
  let reloadMs = defaultReloadMs;
  let byTime = false;
  while (reader.nextInBlock()) {
    if (reader.value === "fallthrough") {
      const through = zonesOrBlock(reader.args(), ["."]);
      for (const origin of origins) fallthrough.set(origin, through);
    } else if (reader.value === "reload") reloadMs = readReload(reader);
    else if (reader.value === "reload_by_mtime") {
      reader.exactly(0);
      byTime = true;
    } else if (reader.value === "upstream") reader.args();
    else throw reader.error(`unknown property '${reader.value}'; expected reload, reload_by_mtime or fallthrough`);
  }
  return { path: blockPath(block, name), origins, reloadMs, byTime };
}

/** 0: never. */
export function readReload(reader: TokenReader): number {
  const [text = ""] = reader.exactly(1);
  const ms = parseDuration(text);
  if (ms === undefined || ms < 0) throw reader.error(`invalid reload duration '${text}'`);
  return ms;
}

function loadOrThrow(reader: TokenReader, block: BlockContext, store: ZoneStore, path: string, origin: string): void {
  const loaded = loadZone(path, origin, block.environment.sources);
  const reason = loaded.kind === "error" ? loaded.reason : store.set(origin, loaded.records);
  if (reason !== undefined) throw reader.error(`zone ${origin}: ${reason}`);
}

/** Reads the files again at intervals; a zone is replaced when its serial differs, or when its file is newer. */
class Reloader {
  readonly #entries: readonly ZoneFileEntry[];
  readonly #store: ZoneStore;
  readonly #block: BlockContext;
  readonly #timers = new Map<ZoneFileEntry, Timer>();
  readonly #times = new Map<ZoneFileEntry, number>();

  constructor(entries: readonly ZoneFileEntry[], store: ZoneStore, block: BlockContext) {
    this.#entries = entries;
    this.#store = store;
    this.#block = block;
  }

  start(): void {
    for (const entry of this.#entries) {
      const time = entry.byTime ? this.#timeOf(entry) : undefined;
      if (time !== undefined) this.#times.set(entry, time);
      if (entry.reloadMs > 0) this.#wait(entry);
    }
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #wait(entry: ZoneFileEntry): void {
    const timer = this.#block.environment.clock.after(entry.reloadMs, () => {
      this.#lookAll(entry);
      this.#wait(entry);
    });
    this.#timers.set(entry, timer);
  }

  #lookAll(entry: ZoneFileEntry): void {
    const time = entry.byTime ? this.#timeOf(entry) : undefined;
    if (entry.byTime && time === this.#times.get(entry)) return;
    if (time !== undefined) this.#times.set(entry, time);
    for (const origin of entry.origins) this.#look(entry.path, origin, entry.byTime);
  }

  #timeOf({ path }: ZoneFileEntry): number | undefined {
    return this.#block.environment.sources.modified?.(path);
  }

  #look(path: string, origin: string, byTime: boolean): void {
    const { log, sources } = this.#block.environment;
    const loaded = loadZone(path, origin, sources);
    if (loaded.kind === "error") return log.error(`zone ${origin} is not read again; the one in use stays`, { reason: loaded.reason });
    const soa = loaded.records.find(({ data }) => data.kind === "soa")?.data;
    if (!byTime && soa?.kind === "soa" && soa.serial === this.#store.serial(origin)) return;
    const reason = this.#store.set(origin, loaded.records);
    if (reason === undefined) log.info(`zone ${origin} was read again`, { serial: this.#store.serial(origin) });
    else log.error(`zone ${origin} is not read again; the one in use stays`, { reason });
  }
}
