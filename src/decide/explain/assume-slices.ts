/** The EndpointSlices that the controllers would write for a Service: by their own functions. */
import { keyOf } from "../../api/object.ts";
import type { EndpointSlice, Service } from "../../api/types.ts";
import { withHints } from "../endpoints/hints.ts";
import { noEndpointsReason, type SelectedEndpoint } from "../endpoints/select.ts";
import { sliceParentOfService } from "../endpoints/slice-metadata.ts";
import { reconcileSlices } from "../endpoints/slices.ts";
import { wantsZoneHints, zoneHints, zoneShares } from "../endpoints/zone-hints.ts";
import { podsBehind } from "./cause.ts";
import type { World } from "./world.ts";

/** Upstream's `--max-endpoints-per-slice`. */
const maxEndpoints = 100;

/** Key of the Service and its slices; none for a Service whose slices people write. */
export function resliced(world: World, service: Service): readonly (readonly [string, readonly EndpointSlice[]])[] {
  if (noEndpointsReason(service) !== undefined) return [];
  const { selection } = podsBehind(world, service);
  const desired = hinted(world, service, selection.endpoints).map(({ addressType, ports, endpoint }) => ({
    addressType,
    ports,
    endpoints: [endpoint],
  }));
  const { create } = reconcileSlices([], desired, {
    parent: sliceParentOfService(service),
    emptyFor: selection.addressTypes,
    max: maxEndpoints,
  });
  const named = create.map((slice, i) => ({ ...slice, metadata: { ...slice.metadata, name: `${service.metadata.name}-${i}` } }));
  return [[keyOf(service.metadata.namespace, service.metadata.name ?? ""), named]];
}

/** By topology mode Auto, or by trafficDistribution; each family by itself. */
function hinted({ snapshot }: World, service: Service, endpoints: readonly SelectedEndpoint[]): readonly SelectedEndpoint[] {
  if (!wantsZoneHints(service))
    return endpoints.map((each) => ({ ...each, endpoint: withHints(each.endpoint, service.spec?.trafficDistribution) }));
  const shares = zoneShares(snapshot.nodes);
  return [...new Set(endpoints.map(({ addressType }) => addressType))].flatMap((family) => {
    const own = endpoints.filter(({ addressType }) => addressType === family);
    const given = zoneHints(
      own.map(({ endpoint }) => endpoint),
      shares,
    ).endpoints;
    return own.map((each, i) => ({ ...each, endpoint: given[i] ?? each.endpoint }));
  });
}
