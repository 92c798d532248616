/** From hand-written Endpoints to the slices that mirror them. Pure. */
import type { Endpoints, EndpointSlice, Service } from "../../api/types.ts";
import { mirrorSubsets } from "../../decide/endpoints/mirror.ts";
import { leaderAnnotation, skipMirrorLabel } from "../../decide/endpoints/names.ts";
import { reconcileSlices, type SliceChanges } from "../../decide/endpoints/slices.ts";
import { sliceParentOfEndpoints } from "../../decide/endpoints/slice-metadata.ts";

export interface MirrorPlan {
  readonly changes: SliceChanges;
  readonly events: readonly { readonly reason: string; readonly message: string }[];
}

/** Endpoints of a Service without a selector, unless they say otherwise or are the lock of a leader election. */
export function isMirrored(endpoints: Endpoints, service: Service | undefined): boolean {
  if (service === undefined || Object.keys(service.spec?.selector ?? {}).length > 0) return false;
  const { labels, annotations } = endpoints.metadata;
  return (
    labels?.[skipMirrorLabel] !== "true" &&
    annotations?.[leaderAnnotation] === undefined &&
    endpoints.metadata.deletionTimestamp === undefined
  );
}

/** `max`: the most addresses of one subset that are mirrored; so many fit into one slice. */
export function planMirror(endpoints: Endpoints, existing: readonly EndpointSlice[], max: number): MirrorPlan {
  const { groups, invalid, beyondMax } = mirrorSubsets(endpoints.subsets ?? [], max);
  const changes = reconcileSlices(existing, groups, { parent: sliceParentOfEndpoints(endpoints), emptyFor: [], max });
  const name = `${endpoints.metadata.namespace}/${endpoints.metadata.name}`;
  const events = [
    ...(invalid === 0
      ? []
      : [{ reason: "InvalidIPAddress", message: `Skipped ${invalid} invalid IP addresses when mirroring to EndpointSlices` }]),
    ...(beyondMax === 0
      ? []
      : [
          {
            reason: "TooManyAddressesToMirror",
            message: `A max of ${max} addresses can be mirrored to EndpointSlices per Endpoints subset of ${name}. ${beyondMax} addresses were skipped`,
          },
        ]),
  ];
  return { changes, events };
}
