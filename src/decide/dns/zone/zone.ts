/** A zone as frozen data: records by name and type. Built once from all its records, looked up by `lookupZone`. */
import { foldName, isWithin, labelsOf } from "../name.ts";
import { recordTypes, type ResourceRecord } from "../records.ts";

/** Type → records, in the order in which they came. */
export type ZoneNode = ReadonlyMap<number, readonly ResourceRecord[]>;

export interface Zone {
  /** Folded. */
  readonly origin: string;
  readonly soa: ResourceRecord;
  /** Folded name → what stands there. */
  readonly nodes: ReadonlyMap<string, ZoneNode>;
  /** Names that have others below them, whether they hold something or not (RFC 8020). */
  readonly parents: ReadonlySet<string>;
  /** All names in canonical order (RFC 4034 6.1). */
  readonly sorted: () => readonly string[];
  readonly records: readonly ResourceRecord[];
}

export type ZoneResult = { readonly kind: "ok"; readonly zone: Zone } | { readonly kind: "error"; readonly reason: string };

/** `origin`: folded. Records outside of it are left out; without a SOA there is no zone. */
export function buildZone(origin: string, records: readonly ResourceRecord[]): ZoneResult {
  const nodes = new Map<string, Map<number, ResourceRecord[]>>();
  const parents = new Set<string>();
  const own = records.filter(({ name }) => isWithin(origin, foldName(name)));
  for (const record of own) {
    const name = foldName(record.name);
    let node = nodes.get(name);
    if (node === undefined) {
      nodes.set(name, (node = new Map()));
      for (const parent of ancestors(name, origin)) parents.add(parent);
    }
    const there = node.get(record.type);
    if (there === undefined) node.set(record.type, [record]);
    else there.push(record);
  }
  const soa = nodes.get(origin)?.get(recordTypes.SOA)?.[0];
  if (soa === undefined) return { kind: "error", reason: `no SOA record at ${origin}` };
  let sorted: readonly string[] | undefined;
  return {
    kind: "ok",
    zone: { origin, soa, nodes, parents, records: own, sorted: () => (sorted ??= [...nodes.keys()].sort(canonicalOrder)) },
  };
}

/** The names between `name` and the zone, the zone included, the nearest first. */
export function ancestors(name: string, origin: string): readonly string[] {
  const found: string[] = [];
  for (let rest = name; rest !== origin && rest !== "";) {
    const [label = ""] = labelsOf(rest);
    rest = rest.slice(label.length + 1) || (origin === "." ? "." : "");
    if (rest !== "") found.push(rest);
  }
  return found;
}

/** Label by label from the right, as bytes; `name`s folded. */
export function canonicalOrder(a: string, b: string): number {
  const [x, y] = [labelsOf(a).reverse(), labelsOf(b).reverse()];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const [left = "", right = ""] = [x[i], y[i]];
    if (left !== right) return left < right ? -1 : 1;
  }
  return x.length - y.length;
}

/** The last name before `name` in canonical order, around the end if there is none: whose NSEC record covers it. */
export function previousName(zone: Zone, name: string): string | undefined {
  const sorted = zone.sorted();
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (canonicalOrder(sorted[middle] as string, name) <= 0) low = middle + 1;
    else high = middle;
  }
  return sorted[low - 1] ?? sorted.at(-1);
}

export function serialOf({ soa }: Zone): number {
  return soa.data.kind === "soa" ? soa.data.serial : 0;
}
