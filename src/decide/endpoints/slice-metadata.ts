/** What a slice says about whose it is: labels, owner, name (upstream `endpointslice/utils.go` `setEndpointSliceLabels`). */
import type { EndpointSlice, Endpoints, ObjectMeta, OwnerReference, Service } from "../../api/types.ts";
import {
  headlessLabel,
  mirroringControllerName,
  overCapacityAnnotation,
  serviceNameLabel,
  skipMirrorLabel,
  sliceControllerName,
  sliceManagedByLabel,
  triggerTimeAnnotation,
} from "./names.ts";
import { isHeadless } from "./select.ts";

type Labels = Readonly<Record<string, string>>;

/** What all slices of one parent share. */
export interface SliceParent {
  readonly namespace: string;
  /** Slices are named `<parent>-xxxxx`. */
  readonly name: string;
  readonly owner: OwnerReference;
  readonly labels: Labels;
  /** Undefined: annotations are left as they are. */
  readonly annotations?: Labels;
}

const reserved = new Set([serviceNameLabel, sliceManagedByLabel, headlessLabel]);

export function sliceParentOfService(service: Service): SliceParent {
  const { namespace = "", name = "" } = service.metadata;
  return {
    namespace,
    name,
    owner: ownerOf("Service", service.metadata),
    labels: {
      ...without(service.metadata.labels, reserved),
      [serviceNameLabel]: name,
      [sliceManagedByLabel]: sliceControllerName,
      ...(isHeadless(service) ? { [headlessLabel]: "" } : {}),
    },
  };
}

const notMirrored = new Set([triggerTimeAnnotation, overCapacityAnnotation, "kubectl.kubernetes.io/last-applied-configuration"]);

/** Slices that mirror an Endpoints object belong to it and carry its labels and annotations. */
export function sliceParentOfEndpoints(endpoints: Endpoints): SliceParent {
  const { namespace = "", name = "" } = endpoints.metadata;
  return {
    namespace,
    name,
    owner: ownerOf("Endpoints", endpoints.metadata),
    labels: {
      ...without(endpoints.metadata.labels, new Set([...reserved, skipMirrorLabel])),
      [serviceNameLabel]: name,
      [sliceManagedByLabel]: mirroringControllerName,
    },
    annotations: without(endpoints.metadata.annotations, notMirrored),
  };
}

function ownerOf(kind: string, { name = "", uid = "" }: ObjectMeta): OwnerReference {
  return { apiVersion: "v1", kind, name, uid, controller: true, blockOwnerDeletion: true };
}

export function isOwnedBy(slice: EndpointSlice, parent: SliceParent): boolean {
  return slice.metadata.ownerReferences?.some(({ uid, kind }) => uid === parent.owner.uid && kind === parent.owner.kind) ?? false;
}

function without(record: Labels | undefined, keys: ReadonlySet<string>): Labels {
  return Object.fromEntries(Object.entries(record ?? {}).filter(([key]) => !keys.has(key)));
}
