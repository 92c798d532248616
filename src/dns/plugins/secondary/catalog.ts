/** Catalog zones (RFC 9432): a zone whose records name the zones that are to be fetched too. */
import { foldName, isWithin } from "../../../decide/dns/name.ts";
import { classes, recordTypes, type ResourceRecord } from "../../../decide/dns/records.ts";
import type { ServerAddress } from "../../corefile/servers.ts";
import type { ZoneStore } from "../file/zone-store.ts";

export type CatalogResult =
  /** Member zones, folded. */
  { readonly kind: "ok"; readonly members: readonly string[] } | { readonly kind: "error"; readonly reason: string };

const schemaVersion = "2";

export function parseCatalog(origin: string, records: readonly ResourceRecord[]): CatalogResult {
  if (!records.some(({ name, type }) => type === recordTypes.SOA && foldName(name) === origin))
    return { kind: "error", reason: "it has no SOA record" };
  if (records.some((record) => record.class !== classes.IN)) return { kind: "error", reason: "a record is of another class than IN" };
  const at = (name: string) => records.filter((record) => foldName(record.name) === `${name}.${origin}`);
  const versions = at("version").filter(({ type }) => type === recordTypes.TXT);
  const version = versions.length === 1 && versions[0]?.data.kind === "txt" ? versions[0].data.strings.join("") : undefined;
  if (version !== schemaVersion)
    return { kind: "error", reason: `version ${version ?? "is missing or given twice"}, expected ${schemaVersion}` };
  const nodes = records.filter(({ name, type }) => type === recordTypes.PTR && isMember(foldName(name), origin));
  const members = nodes.map(({ data }) => (data.kind === "name" ? foldName(data.target) : ""));
  if (new Set(nodes.map(({ name }) => foldName(name))).size !== nodes.length)
    return { kind: "error", reason: "a member node has more than one PTR record" };
  if (new Set(members).size !== members.length) return { kind: "error", reason: "a zone is a member twice" };
  return { kind: "ok", members };
}

/** `LABEL.zones.CATALOG` */
const isMember = (name: string, origin: string): boolean =>
  name.endsWith(`.zones.${origin}`) && !name.slice(0, -`.zones.${origin}`.length).includes(".");

export interface CatalogsOptions {
  readonly store: ZoneStore;
  readonly follow: (origin: string, from: readonly ServerAddress[]) => void;
  readonly leave: (origin: string) => void;
  readonly warn: (message: string) => void;
}

export class Catalogs {
  readonly #options: CatalogsOptions;
  readonly #members = new Map<string, Set<string>>();
  readonly #stops: (() => void)[] = [];

  constructor(options: CatalogsOptions) {
    this.#options = options;
  }

  /** `allowed`: members must be one of these or below; empty: any. */
  watch(catalog: string, allowed: readonly string[], from: readonly ServerAddress[]): void {
    const stop = this.#options.store.onChange((origin) => {
      if (origin === catalog) this.#changed(catalog, allowed, from);
    });
    this.#stops.push(stop);
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** A catalog that cannot be read changes nothing (RFC 9432 5.1). */
  #changed(catalog: string, allowed: readonly string[], from: readonly ServerAddress[]): void {
    const { store, follow, leave, warn } = this.#options;
    const parsed = parseCatalog(catalog, store.records(catalog) ?? []);
    if (parsed.kind === "error") return warn(`catalog ${catalog} is broken, its members stay as they are: ${parsed.reason}`);
    const before = this.#members.get(catalog) ?? new Set();
    const others = new Set([...this.#members].filter(([name]) => name !== catalog).flatMap(([, members]) => [...members]));
    const now = new Set(parsed.members.filter((zone) => zone !== catalog && this.#takes(zone, catalog, allowed, others)));
    this.#members.set(catalog, now);
    for (const zone of before) if (!now.has(zone)) leave(zone);
    for (const zone of now) follow(zone, from);
  }

  #takes(zone: string, catalog: string, allowed: readonly string[], others: ReadonlySet<string>): boolean {
    if (allowed.length > 0 && !allowed.some((one) => isWithin(one, zone))) return false;
    if (!others.has(zone)) return true;
    this.#options.warn(`zone ${zone} of catalog ${catalog} is a member of another one already`);
    return false;
  }
}
