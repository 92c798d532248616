/** Why endpoints lack the routing hints that their Service asks for: said by an Event, lest traffic takes the long way unexplained. Pure. */
import type { Endpoint, EndpointSlice, Service } from "../../api/types.ts";

/** `Auto` distributes endpoints over zones by their CPUs; `spec.trafficDistribution` has taken its place (KEP-4444). */
const topologyModeAnnotations = ["service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints"];

/** `slices`: as they are, or will be. Undefined: nothing is withheld. */
export function withheldHints({ metadata, spec }: Service, slices: readonly Pick<EndpointSlice, "endpoints">[]): string | undefined {
  const mode = topologyModeAnnotations.map((key) => metadata.annotations?.[key] ?? "").find((value) => value.toLowerCase() === "auto");
  if (mode !== undefined && spec?.trafficDistribution === undefined) {
    return "Topology mode Auto is not implemented by this cluster, and no hints are given; spec.trafficDistribution: PreferSameZone is its successor";
  }
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
