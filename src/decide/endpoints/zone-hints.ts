/**
 * Routing hints of the annotation `service.kubernetes.io/topology-mode: Auto` (KEP-2433, upstream `endpointslice/topologycache`): each zone is
 * given endpoints in proportion to its CPUs, its own first. Where that would overload some endpoint by more than a fifth there are
 * no hints at all, and why is said.
 */
import { parseQuantity } from "../../api/quantity.ts";
import type { Endpoint, Node, Service } from "../../api/types.ts";

/** The older name second. Any value but these asks for nothing. */
const annotations = ["service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints"];

/** Comes before `spec.trafficDistribution`. */
export function wantsZoneHints({ metadata }: Service): boolean {
  const value = annotations.map((key) => metadata.annotations?.[key]).find((text) => text !== undefined);
  return value === "Auto" || value === "auto";
}

/** Zone → its part of all CPUs. */
export type ZoneShares = ReadonlyMap<string, number>;

export type ZoneHints =
  | { readonly kind: "given"; readonly endpoints: readonly Endpoint[] }
  /** `endpoints`: without hints. `why`: for people. */
  | { readonly kind: "withheld"; readonly endpoints: readonly Endpoint[]; readonly why: string };

/** What of a node its zone's share goes by. */
export function zoneFacts({ metadata, status }: Node): object {
  const ready = status?.conditions?.find(({ type }) => type === "Ready")?.status;
  return { labels: metadata.labels, cpu: status?.allocatable?.["cpu"], ready };
}

const controlPlaneLabels = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/** Of the nodes that are Ready and take ordinary pods; a text: why it cannot be told. */
export function zoneShares(nodes: Iterable<Node>): ZoneShares | string {
  const cpus = new Map<string, number>();
  for (const { metadata, status } of nodes) {
    if (controlPlaneLabels.some((label) => metadata.labels?.[label] !== undefined)) continue;
    if (status?.conditions?.find(({ type }) => type === "Ready")?.status !== "True") continue;
    const zone = metadata.labels?.["topology.kubernetes.io/zone"] ?? "";
    const cpu = Number(parseQuantity(status.allocatable?.["cpu"] ?? "0")?.nano ?? 0n);
    if (zone === "" || cpu === 0)
      return `node ${metadata.name} has no ${zone === "" ? "label topology.kubernetes.io/zone" : "allocatable CPU"}`;
    cpus.set(zone, (cpus.get(zone) ?? 0) + cpu);
  }
  if (cpus.size < 2) return "there are ready nodes in one zone only";
  const total = [...cpus.values()].reduce((sum, cpu) => sum + cpu, 0);
  return new Map([...cpus].sort(([a], [b]) => (a < b ? -1 : 1)).map(([zone, cpu]) => [zone, cpu / total]));
}

/** An endpoint may get this much more traffic than its even part. */
const overload = 0.2;

/** `endpoints`: of one family, in an order that stays as it is, so that few hints change with each of them. */
export function zoneHints(endpoints: readonly Endpoint[], shares: ZoneShares | string): ZoneHints {
  const ready = endpoints.filter(({ conditions }) => conditions?.ready === true);
  const why = typeof shares === "string" ? shares : whyNone(ready, shares);
  if (why !== undefined || typeof shares === "string") return { kind: "withheld", endpoints, why: why ?? "" };
  const zones = distribute(ready, shares);
  return {
    kind: "given",
    endpoints: endpoints.map((endpoint) => {
      const name = zones.get(endpoint);
      return name === undefined ? endpoint : { ...endpoint, hints: { forZones: [{ name }] } };
    }),
  };
}

function whyNone(ready: readonly Endpoint[], shares: ZoneShares): string | undefined {
  const counts = `${ready.length} ready endpoints, ${shares.size} zones`;
  if (ready.length < shares.size) return `there are fewer endpoints than zones (${counts})`;
  const homeless = ready.find(({ zone = "" }) => zone === "");
  if (homeless !== undefined) return `endpoint ${homeless.addresses[0]} is in no zone`;
  const least = [...shares.values()].reduce((sum, share) => sum + leastOf(share * ready.length), 0);
  return least > ready.length ? `no distribution keeps every endpoint's load within ${1 + overload} times its part (${counts})` : undefined;
}

/** Each endpoint's own zone, but for those that zones with too many give to zones with too few. */
function distribute(ready: readonly Endpoint[], shares: ZoneShares): ReadonlyMap<Endpoint, string> {
  const zones = new Map(ready.map((endpoint) => [endpoint, endpoint.zone ?? ""]));
  const count = new Map<string, number>();
  for (const zone of zones.values()) count.set(zone, (count.get(zone) ?? 0) + 1);
  const partOf = (zone: string) => (shares.get(zone) ?? 0) * ready.length;
  const missing = [...shares.keys()].flatMap((zone) =>
    Array.from({ length: Math.max(0, Math.floor(leastOf(partOf(zone)) - (count.get(zone) ?? 0))) }, () => zone),
  );
  // The last ones move: the first keep their place whatever comes after them.
  for (const endpoint of ready.toReversed()) {
    const own = zones.get(endpoint) ?? "";
    if (missing.length === 0 && shares.has(own)) continue;
    if (shares.has(own) && (count.get(own) ?? 0) - 1 < leastOf(partOf(own))) continue;
    // A zone without nodes gives all that it has, if need be to the zone that is worst off.
    const to = missing.shift() ?? poorest(shares, count, partOf);
    zones.set(endpoint, to);
    count.set(own, (count.get(own) ?? 0) - 1);
    count.set(to, (count.get(to) ?? 0) + 1);
  }
  return zones;
}

/** With fewer its endpoints would be overloaded. Not one more for a last bit that division has set. */
const leastOf = (part: number): number => Math.ceil(part / (1 + overload) - 1e-9);

function poorest(shares: ZoneShares, count: ReadonlyMap<string, number>, partOf: (zone: string) => number): string {
  const load = (zone: string) => (count.get(zone) ?? 0) - partOf(zone);
  return [...shares.keys()].reduce((a, b) => (load(b) < load(a) ? b : a));
}
