/** The EndpointSlices that the controllers would write for a Service: by their own functions. */
import { keyOf } from "../../api/object.ts";
import type { EndpointSlice, Service } from "../../api/types.ts";
import { withHints } from "../endpoints/hints.ts";
import { noEndpointsReason } from "../endpoints/select.ts";
import { sliceParentOfService } from "../endpoints/slice-metadata.ts";
import { reconcileSlices } from "../endpoints/slices.ts";
import { podsBehind } from "./cause.ts";
import type { World } from "./world.ts";

/** Upstream's `--max-endpoints-per-slice`. */
const maxEndpoints = 100;

/** Key of the Service and its slices; none for a Service whose slices people write. */
export function resliced(world: World, service: Service): readonly (readonly [string, readonly EndpointSlice[]])[] {
  if (noEndpointsReason(service) !== undefined) return [];
  const { selection } = podsBehind(world, service);
  const desired = selection.endpoints.map(({ addressType, ports, endpoint }) => ({
    addressType,
    ports,
    endpoints: [withHints(endpoint, service.spec?.trafficDistribution)],
  }));
  const { create } = reconcileSlices([], desired, {
    parent: sliceParentOfService(service),
    emptyFor: selection.addressTypes,
    max: maxEndpoints,
  });
  const named = create.map((slice, i) => ({ ...slice, metadata: { ...slice.metadata, name: `${service.metadata.name}-${i}` } }));
  return [[keyOf(service.metadata.namespace, service.metadata.name ?? ""), named]];
}
