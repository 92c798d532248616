/** From a Service and its pods to its Endpoints object. Pure. */
import type { Endpoints, EndpointSubset, Pod, Service } from "../../api/types.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import {
  endpointsControllerName,
  endpointsManagedByLabel,
  headlessLabel,
  overCapacityAnnotation,
  triggerTimeAnnotation,
} from "../../decide/endpoints/names.ts";
import { isHeadless, selectEndpoints, type NodeLookup } from "../../decide/endpoints/select.ts";
import { subsetsOf, truncateSubsets } from "../../decide/endpoints/subsets.ts";

export type EndpointsPlan = { readonly kind: "none" } | { readonly kind: "create" | "update"; readonly endpoints: Endpoints };

/** `triggerTime`: see trigger-times.ts. */
export function planEndpoints(
  service: Service,
  pods: readonly Pod[],
  existing: Endpoints | undefined,
  node: NodeLookup,
  triggerTime: string | undefined,
): EndpointsPlan {
  const { subsets, truncated } = truncateSubsets(subsetsOf(service, selectEndpoints(service, pods, node)));
  const labels = labelsOf(service);
  const isTruncated = existing?.metadata.annotations?.[overCapacityAnnotation] === "truncated";
  if (
    existing !== undefined &&
    semanticEqual(existing.metadata.labels, labels) &&
    sameSubsets(existing.subsets, subsets) &&
    isTruncated === truncated
  ) {
    return { kind: "none" };
  }
  const { [triggerTimeAnnotation]: _, [overCapacityAnnotation]: __, ...kept } = existing?.metadata.annotations ?? {};
  const annotations = {
    ...kept,
    ...(triggerTime === undefined ? {} : { [triggerTimeAnnotation]: triggerTime }),
    ...(truncated ? { [overCapacityAnnotation]: "truncated" } : {}),
  };
  const { name = "", namespace = "" } = service.metadata;
  const metadata = { ...existing?.metadata, name, namespace, labels, annotations };
  return { kind: existing === undefined ? "create" : "update", endpoints: { apiVersion: "v1", kind: "Endpoints", metadata, subsets } };
}

function labelsOf(service: Service): Readonly<Record<string, string>> {
  const { [headlessLabel]: _, ...own } = service.metadata.labels ?? {};
  return { ...own, [endpointsManagedByLabel]: endpointsControllerName, ...(isHeadless(service) ? { [headlessLabel]: "" } : {}) };
}

/** The pod's resourceVersion in a targetRef is no difference: it changes with each of its status writes. */
function sameSubsets(a: readonly EndpointSubset[] | undefined, b: readonly EndpointSubset[]): boolean {
  return semanticEqual((a ?? []).map(withoutVersions), b.map(withoutVersions));
}

function withoutVersions(subset: EndpointSubset): EndpointSubset {
  const plain = (list: EndpointSubset["addresses"]) =>
    list?.map((address) =>
      address.targetRef?.resourceVersion === undefined
        ? address
        : { ...address, targetRef: { ...address.targetRef, resourceVersion: undefined } },
    );
  return { ...subset, addresses: plain(subset.addresses), notReadyAddresses: plain(subset.notReadyAddresses) };
}
