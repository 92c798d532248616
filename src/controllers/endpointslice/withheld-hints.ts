/** Why endpoints lack the routing hints that their Service asks for: said by an Event, lest traffic takes the long way unexplained. Pure. */
import type { Endpoint, EndpointSlice, Service } from "../../api/types.ts";

/** By `spec.trafficDistribution`. `slices`: as they are, or will be. Undefined: nothing is withheld. */
export function withheldHints({ spec }: Service, slices: readonly Pick<EndpointSlice, "endpoints">[]): string | undefined {
  const wanted = spec?.trafficDistribution;
  if (wanted === undefined) return undefined;
  const ready = slices.flatMap(({ endpoints = [] }) => endpoints).filter(({ conditions }) => conditions?.ready === true);
  const without = ready.filter((endpoint) => lacks(endpoint, wanted));
  if (without.length === 0) return undefined;
  const nodes = [...new Set(without.map(({ nodeName }) => nodeName ?? "none"))].sort();
  const shown = nodes.length > 3 ? `${nodes.slice(0, 3).join(", ")} and ${nodes.length - 3} more` : nodes.join(", ");
  const lacking = wanted === "PreferSameNode" ? "have no node" : "are on nodes without the label topology.kubernetes.io/zone";
  return `${without.length} of ${ready.length} ready endpoints ${lacking} (${shown}): they get no hint for trafficDistribution ${wanted}`;
}

function lacks({ hints }: Endpoint, wanted: string): boolean {
  return wanted === "PreferSameNode" ? hints?.forNodes === undefined : hints?.forZones === undefined;
}
