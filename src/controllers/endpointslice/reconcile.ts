/** From a Service and its pods to the writes of its EndpointSlices. Pure. */
import type { EndpointSlice, Pod, Service } from "../../api/types.ts";
import { addressTypesOf, selectEndpoints, type LeftOut, type NodeLookup } from "../../decide/endpoints/select.ts";
import { reconcileSlices, type EndpointGroup, type SliceChanges } from "../../decide/endpoints/slices.ts";
import { sliceParentOfService } from "../../decide/endpoints/slice-metadata.ts";
import { withHints } from "../../decide/endpoints/hints.ts";

export interface ServiceSlicesPlan {
  readonly changes: SliceChanges;
  readonly leftOut: readonly LeftOut[];
}

export interface ServiceSlicesOptions {
  readonly node: NodeLookup;
  /** Most endpoints in a slice. */
  readonly max: number;
}

/** `existing`: the slices of this Service that this controller manages and that are not being deleted. */
export function planServiceSlices(
  service: Service,
  pods: readonly Pod[],
  existing: readonly EndpointSlice[],
  { node, max }: ServiceSlicesOptions,
): ServiceSlicesPlan {
  const selection = selectEndpoints(service, pods, node);
  const desired = selection.endpoints.map(({ addressType, ports, endpoint }): EndpointGroup => ({
    addressType,
    ports,
    endpoints: [withHints(endpoint, service.spec?.trafficDistribution)],
  }));
  const changes = reconcileSlices(existing, desired, { parent: sliceParentOfService(service), emptyFor: addressTypesOf(service), max });
  return { changes, leftOut: selection.leftOut };
}
