/**
 * Where traffic goes: for each Service, what every node's proxy would choose from, by the functions by which the EndpointSlice
 * controller gives hints and the proxy reads them. Each Service gets the same amount of traffic, each node sends the same part
 * of it, and each endpoint that is chosen from gets the same share. Pure.
 */
import { withHints } from "../endpoints/hints.ts";
import { categorizeEndpoints } from "../proxy/categorize.ts";
import type { PlanEndpoint } from "../proxy/plan.ts";
import { distributions, type Distribution, type SimulatedService, type World } from "./world.ts";

export interface Spread {
  /** Of all traffic, in [0, 1]; with `refused` they add up to 1. */
  readonly sameNode: number;
  readonly sameZone: number;
  readonly otherZone: number;
  /** For want of an endpoint. */
  readonly refused: number;
  /** A Service's busiest endpoint, in multiples of what an even share of what arrives were: over all Services of which something does. */
  readonly busiest: { readonly p50: number; readonly p95: number; readonly most: number };
  /** Services whose busiest endpoint has more than twice its share, those with the most first; at most ten. */
  readonly overloaded: readonly { readonly service: string; readonly times: number }[];
  readonly overloadedCount: number;
}

/** As the Services say, and as if all said the same. */
export type Spreads = Readonly<Record<"asIs" | Distribution, Spread>>;

/** Nodes that a proxy's choice cannot tell apart. */
interface Clients {
  readonly name: string;
  readonly zone: string;
  readonly share: number;
}

const overload = 2;

export function spreads(world: World): Spreads {
  const of = (distribution?: Distribution) => spread(world, distribution);
  const [none, PreferSameZone, PreferSameNode] = distributions.map(of) as [Spread, Spread, Spread];
  return { asIs: of(), none, PreferSameZone, PreferSameNode };
}

export function spread(world: World, distribution?: Distribution): Spread {
  const zones = zoneSizes(world);
  const total = { sameNode: 0, sameZone: 0, otherZone: 0, refused: 0 };
  const times: { readonly service: string; readonly times: number }[] = [];
  for (const service of world.services) {
    const load = serve(world, service, distribution ?? service.distribution, zones, total);
    const ready = service.endpoints.filter((endpoint) => endpoint.ready).length;
    const carried = load.reduce((sum, each) => sum + each, 0);
    if (carried > 0) times.push({ service: `${service.namespace}/${service.name}`, times: (Math.max(...load) / carried) * ready });
  }
  const services = Math.max(1, world.services.length);
  const sorted = times.toSorted((a, b) => a.times - b.times);
  const overloaded = sorted.filter(({ times: each }) => each > overload);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]?.times ?? 0;
  return {
    sameNode: total.sameNode / services,
    sameZone: total.sameZone / services,
    otherZone: total.otherZone / services,
    refused: total.refused / services,
    busiest: { p50: at(0.5), p95: at(0.95), most: at(1) },
    overloaded: overloaded.slice(-10).reverse(),
    overloadedCount: overloaded.length,
  };
}

function zoneSizes({ nodes }: World): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const { zone } of nodes) sizes.set(zone, (sizes.get(zone) ?? 0) + 1);
  return sizes;
}

/** The load of each endpoint, as a part of the Service's traffic; adds to `total` where it went. */
function serve(
  world: World,
  service: SimulatedService,
  distribution: Distribution,
  zones: ReadonlyMap<string, number>,
  total: Record<"sameNode" | "sameZone" | "otherZone" | "refused", number>,
): readonly number[] {
  const endpoints = service.endpoints.map(({ node, ready }, index) => planned(world, node, ready, index, distribution));
  const load = endpoints.map(() => 0);
  for (const { name, zone, share } of clientsOf(world, service, zones)) {
    const seen = service.internalLocal ? endpoints.map((each) => ({ ...each, local: each.nodeName === name })) : endpoints;
    const chosen = chosenBy(seen, service.internalLocal, { name, zone });
    if (chosen.length === 0) total.refused += share;
    for (const { port: index, nodeName, zone: there = "" } of chosen) {
      const part = share / chosen.length;
      load[index] = (load[index] as number) + part;
      total[nodeName === name ? "sameNode" : there === zone && zone !== "" ? "sameZone" : "otherZone"] += part;
    }
  }
  return load;
}

function chosenBy(endpoints: readonly PlanEndpoint[], internalLocal: boolean, node: { readonly name: string; readonly zone: string }) {
  const policies = { internalLocal, externalLocal: false, externallyAccessible: false, hints: true, terminatingEndpoints: true };
  const { cluster, local } = categorizeEndpoints(endpoints, policies, node);
  return cluster ?? local ?? [];
}

/** Nodes with an endpoint one by one; of the others, a zone's all do the same. */
function clientsOf(world: World, { endpoints }: SimulatedService, zones: ReadonlyMap<string, number>): readonly Clients[] {
  const own = new Set(endpoints.map(({ node }) => node).filter((node) => node >= 0));
  const rest = new Map(zones);
  const single = [...own].map((index): Clients => {
    const { name, zone } = world.nodes[index] as World["nodes"][number];
    rest.set(zone, (rest.get(zone) ?? 0) - 1);
    return { name, zone, share: 1 / world.nodes.length };
  });
  const others = [...rest]
    .filter(([, count]) => count > 0)
    .map(([zone, count]): Clients => ({ name: "", zone, share: count / world.nodes.length }));
  return [...single, ...others];
}

/** Its port is its index: what comes back from the choice says so which it was. */
function planned(world: World, node: number, ready: boolean, index: number, distribution: Distribution): PlanEndpoint {
  const { name, zone } = world.nodes[node] ?? { name: undefined, zone: undefined };
  const place = { ...(name === undefined ? {} : { nodeName: name }), ...(zone === undefined || zone === "" ? {} : { zone }) };
  const { hints } = withHints({ addresses: [], conditions: { ready }, ...place }, distribution);
  return {
    kind: "endpoint",
    ip: "",
    port: index,
    local: false,
    ready,
    serving: ready,
    terminating: false,
    ...place,
    ...(hints?.forZones === undefined ? {} : { zoneHints: hints.forZones.map((hint) => hint.name) }),
    ...(hints?.forNodes === undefined ? {} : { nodeHints: hints.forNodes.map((hint) => hint.name) }),
  };
}
