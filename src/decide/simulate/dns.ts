/**
 * What the cluster's DNS servers are asked, by a simple model: each endpoint's pod looks names up at one rate; a part of them are Services,
 * each as often, by the short name; the rest are outside, with two dots. Programs ask for A and AAAA. Pure.
 */
import type { World } from "./world.ts";

export interface DnsAssumptions {
  /** Lookups of each pod in a second. */
  readonly lookups: number;
  /** Of them, names outside the cluster; in [0, 1]. */
  readonly outside: number;
  /** Of answers, in seconds. */
  readonly ttl: number;
  /** How many names outside there are. */
  readonly outsideNames: number;
}

export const usualAssumptions: DnsAssumptions = { lookups: 1, outside: 0.3, ttl: 30, outsideNames: 50 };

export interface DnsLoad {
  /** Queries in a second, all servers together. */
  readonly plain: number;
  /** With `ndots: 2`: a name with two dots is asked as it is first. */
  readonly ndots2: number;
  /** With a cache on each node. */
  readonly nodeCache: number;
}

/** NAMESPACE.svc.DOMAIN, svc.DOMAIN, DOMAIN */
const searchDomains = 3;
const families = 2;

export function dnsLoad({ nodes, services }: World, { lookups, outside, ttl, outsideNames }: DnsAssumptions): DnsLoad {
  const pods = services.reduce((sum, { endpoints }) => sum + endpoints.length, 0);
  const rate = pods * lookups;
  const [inside, beyond] = [rate * (1 - outside), rate * outside];
  const tries = searchDomains + 1;
  const perNode = nodes.length === 0 ? 0 : rate / nodes.length;
  // What a node asks for within a TTL it asks for once. Services' names are found by the first try.
  const misses = distinct(services.length, perNode * (1 - outside) * ttl) + distinct(outsideNames, perNode * outside * ttl) * tries;
  return {
    plain: (inside + beyond * tries) * families,
    ndots2: (inside + beyond) * families,
    nodeCache: (nodes.length * misses * families) / ttl,
  };
}

/** How many different ones of `names` are among `draws`, expected. */
function distinct(names: number, draws: number): number {
  return names === 0 ? 0 : names * (1 - (1 - 1 / names) ** draws);
}
