/** Routing hints of endpoints for `spec.trafficDistribution` (KEP-3015, KEP-4444; upstream `endpointslice/trafficdist`). */
import type { Endpoint, EndpointHints } from "../../api/types.ts";

/** The endpoint with the hints that the Service's trafficDistribution asks for; only ready endpoints get any. */
export function withHints(endpoint: Endpoint, trafficDistribution: string | undefined): Endpoint {
  const hints = endpoint.conditions?.ready === true ? hintsFor(endpoint, trafficDistribution) : undefined;
  return hints === undefined ? endpoint : { ...endpoint, hints };
}

function hintsFor({ zone, nodeName }: Endpoint, trafficDistribution: string | undefined): EndpointHints | undefined {
  const close = trafficDistribution === "PreferClose" || trafficDistribution === "PreferSameZone";
  const sameNode = trafficDistribution === "PreferSameNode";
  if (!close && !sameNode) return undefined;
  const forZones = zone === undefined ? undefined : [{ name: zone }];
  const forNodes = sameNode && nodeName !== undefined ? [{ name: nodeName }] : undefined;
  if (forZones === undefined && forNodes === undefined) return undefined;
  return { ...(forZones === undefined ? {} : { forZones }), ...(forNodes === undefined ? {} : { forNodes }) };
}
