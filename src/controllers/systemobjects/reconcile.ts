/**
 * Objects that every cluster has and nobody makes: the two system PriorityClasses, the StorageClass that claims get who name
 * none, and the ServiceCIDR of the cluster's Services (upstream `pkg/registry/scheduling/rest`, `defaultservicecidr`;
 * the StorageClass is what distributions bring). Pure.
 */
import type { KubeObject } from "../../api/object.ts";
import { priorityClasses, serviceCidrs, storageClasses, type Resource } from "../../api/resources.ts";
import type { PriorityClass, ServiceCIDR, StorageClass } from "../../api/types.ts";
import { defaultStorageClassAnnotation } from "../../api/kinds/storage-classes.ts";
import { systemPriorityClasses } from "../../api/validation/priority-class.ts";

/** Volumes of this class are directories on this machine. */
export const directoryProvisioner = "fairlead.dev/directory";

export interface SystemObject {
  readonly resource: Resource<KubeObject>;
  readonly object: KubeObject;
}

export interface SystemObjectsInput {
  readonly serviceRanges: readonly string[];
  /** Volumes can be made: there is a directory for them. */
  readonly provisions: boolean;
}

export function systemObjects({ serviceRanges, provisions }: SystemObjectsInput): readonly SystemObject[] {
  return [
    ...systemPriorityClasses.map(({ name, ...rest }) => entry<PriorityClass>(priorityClasses, { metadata: { name }, ...rest })),
    ...(serviceRanges.length === 0
      ? []
      : [entry<ServiceCIDR>(serviceCidrs, { metadata: { name: "kubernetes" }, spec: { cidrs: serviceRanges } })]),
    ...(provisions ? [entry<StorageClass>(storageClasses, standardClass)] : []),
  ];
}

function entry<T extends KubeObject>(resource: Resource<T>, object: T): SystemObject {
  return { resource: resource as Resource<KubeObject>, object };
}

const standardClass: StorageClass = {
  metadata: { name: "standard", annotations: { [defaultStorageClassAnnotation]: "true" } },
  provisioner: directoryProvisioner,
  reclaimPolicy: "Delete",
  volumeBindingMode: "Immediate",
  allowVolumeExpansion: true,
};
