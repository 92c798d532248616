/** StorageClasses (storage.k8s.io/v1). */
import type { KubeObject } from "../object.ts";
import { storageClasses } from "../resources.ts";
import type { StorageClass } from "../types.ts";
import { validateStorageClass } from "../validation/storage.ts";
import { ageColumn, defineKind, nameColumn, text } from "./define.ts";

/** Claims that name no class get the class that has it as `true`. */
export const defaultStorageClassAnnotation = "storageclass.kubernetes.io/is-default-class";

export const isDefaultStorageClass = ({ metadata }: KubeObject): boolean =>
  metadata.annotations?.[defaultStorageClassAnnotation] === "true";

export const storageClassKind = defineKind<StorageClass>({
  resource: storageClasses,
  definition: "StorageClass",
  singular: "storageclass",
  shortNames: ["sc"],
  categories: [],
  subresources: [],
  nameRule: "dns1123Subdomain",
  applyDefaults: (storageClass) => {
    storageClass.reclaimPolicy ??= "Delete";
    storageClass.volumeBindingMode ??= "Immediate";
  },
  validate: validateStorageClass,
  columns: [
    { ...nameColumn, cell: (object) => `${object.metadata.name ?? ""}${isDefaultStorageClass(object) ? " (default)" : ""}` },
    text("Provisioner", "Who makes its volumes.", ({ provisioner }) => provisioner),
    text("ReclaimPolicy", "What becomes of a volume when its claim goes.", ({ reclaimPolicy }) => reclaimPolicy ?? "Delete"),
    text("VolumeBindingMode", "When a claim is bound.", ({ volumeBindingMode }) => volumeBindingMode ?? "Immediate"),
    {
      ...text<StorageClass>(
        "AllowVolumeExpansion",
        "Whether claims may grow.",
        ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false,
      ),
      type: "boolean",
    },
    ageColumn,
  ],
});
