/** All that a simulation tells. Pure. */
import { dnsLoad, usualAssumptions, type DnsAssumptions, type DnsLoad } from "./dns.ts";
import { ruleCounts, type RuleCount, type RuleMode } from "./rules.ts";
import { spreads, type Spreads } from "./spread.ts";
import type { World } from "./world.ts";

export interface Simulation {
  readonly nodes: number;
  readonly services: number;
  readonly endpoints: number;
  /** Zone → how many nodes and endpoints are there. */
  readonly zones: readonly { readonly zone: string; readonly nodes: number; readonly endpoints: number }[];
  readonly spread: Spreads;
  /** On each node. */
  readonly rules: Readonly<Record<RuleMode, RuleCount>>;
  readonly dns: DnsLoad;
}

export function simulate(world: World, assumptions: DnsAssumptions = usualAssumptions): Simulation {
  const zones = new Map<string, { nodes: number; endpoints: number }>();
  const zone = (name: string) => {
    const found = zones.get(name) ?? { nodes: 0, endpoints: 0 };
    zones.set(name, found);
    return found;
  };
  for (const node of world.nodes) zone(node.zone).nodes++;
  for (const { endpoints } of world.services) for (const { node } of endpoints) zone(world.nodes[node]?.zone ?? "").endpoints++;
  return {
    nodes: world.nodes.length,
    services: world.services.length,
    endpoints: world.services.reduce((sum, { endpoints }) => sum + endpoints.length, 0),
    zones: [...zones].map(([name, counts]) => ({ zone: name, ...counts })).sort((a, b) => (a.zone < b.zone ? -1 : 1)),
    spread: spreads(world),
    rules: ruleCounts(world),
    dns: dnsLoad(world, assumptions),
  };
}
