/** PersistentVolumes and their claims (core/v1). */
import { defaultClaim, defaultVolume } from "../defaults-storage.ts";
import type { Draft } from "../object.ts";
import { persistentVolumeClaims, persistentVolumes } from "../resources.ts";
import type { PersistentVolume, PersistentVolumeClaim } from "../types.ts";
import { validateClaim, validateVolume } from "../validation/storage.ts";
import { ageColumn, defineKind, nameColumn, text, wide } from "./define.ts";

const shortModes: readonly (readonly [string, string])[] = [
  ["ReadWriteOnce", "RWO"],
  ["ReadOnlyMany", "ROX"],
  ["ReadWriteMany", "RWX"],
  ["ReadWriteOncePod", "RWOP"],
];

const modesText = (modes: readonly string[] = []): string =>
  shortModes.flatMap(([mode, short]) => (modes.includes(mode) ? [short] : [])).join(",");

const terminating = (
  object: { readonly metadata: { readonly deletionTimestamp?: string | undefined } },
  phase: string | undefined,
): string => (object.metadata.deletionTimestamp === undefined ? (phase ?? "") : "Terminating");

const orUnset = (value: string | undefined): string => value ?? "<unset>";

/** Being used keeps it, until whoever protects it is content. */
function protect({ metadata }: Draft<PersistentVolume | PersistentVolumeClaim>, finalizer: string): void {
  if (metadata.finalizers?.includes(finalizer) !== true) metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
}

export const claimFinalizer = "kubernetes.io/pvc-protection";
export const volumeFinalizer = "kubernetes.io/pv-protection";

export const persistentVolumeKind = defineKind<PersistentVolume>({
  resource: persistentVolumes,
  definition: "PersistentVolume",
  singular: "persistentvolume",
  shortNames: ["pv"],
  categories: [],
  subresources: ["status"],
  nameRule: "dns1123Subdomain",
  applyDefaults: defaultVolume,
  prepareForCreate: (volume) => {
    volume.status = { phase: "Pending" };
    protect(volume, volumeFinalizer);
  },
  prepareForUpdate: (volume, old) => {
    volume.status = structuredClone(old.status ?? {}) as NonNullable<Draft<PersistentVolume>["status"]>;
  },
  validate: validateVolume,
  columns: [
    nameColumn,
    text("Capacity", "Its size.", ({ spec }) => spec?.capacity?.["storage"] ?? ""),
    text("Access Modes", "How it may be mounted.", ({ spec }) => modesText(spec?.accessModes)),
    text("Reclaim Policy", "What becomes of it when its claim goes.", ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? ""),
    text("Status", "Whether it is free.", (volume) => terminating(volume, volume.status?.phase)),
    text("Claim", "Who has it.", ({ spec }) =>
      spec?.claimRef === undefined ? "" : `${spec.claimRef.namespace ?? ""}/${spec.claimRef.name ?? ""}`,
    ),
    text("StorageClass", "Its class.", ({ spec }) => spec?.storageClassName ?? ""),
    text("VolumeAttributesClass", "Its class of attributes.", ({ spec }) => orUnset(spec?.volumeAttributesClassName)),
    text("Reason", "Why it is in its state.", ({ status }) => status?.reason ?? ""),
    ageColumn,
    wide(text("VolumeMode", "A directory or a device.", ({ spec }) => orUnset(spec?.volumeMode))),
  ],
});

export const persistentVolumeClaimKind = defineKind<PersistentVolumeClaim>({
  resource: persistentVolumeClaims,
  definition: "PersistentVolumeClaim",
  singular: "persistentvolumeclaim",
  shortNames: ["pvc"],
  categories: [],
  subresources: ["status"],
  nameRule: "dns1123Subdomain",
  applyDefaults: defaultClaim,
  prepareForCreate: (claim) => {
    claim.status = { phase: "Pending" };
    protect(claim, claimFinalizer);
  },
  prepareForUpdate: (claim, old) => {
    claim.status = structuredClone(old.status ?? {}) as NonNullable<Draft<PersistentVolumeClaim>["status"]>;
  },
  validate: validateClaim,
  columns: [
    nameColumn,
    text("Status", "Whether it has a volume.", (claim) => terminating(claim, claim.status?.phase)),
    text("Volume", "The volume that it has.", ({ spec }) => spec?.volumeName ?? ""),
    text("Capacity", "The volume's size.", ({ spec, status }) =>
      (spec?.volumeName ?? "") === "" ? "" : (status?.capacity?.["storage"] ?? ""),
    ),
    text("Access Modes", "How it may be mounted.", ({ spec, status }) =>
      (spec?.volumeName ?? "") === "" ? "" : modesText(status?.accessModes),
    ),
    text("StorageClass", "Its class.", ({ spec }) => spec?.storageClassName ?? ""),
    text("VolumeAttributesClass", "Its class of attributes.", ({ spec }) => orUnset(spec?.volumeAttributesClassName)),
    ageColumn,
    wide(text("VolumeMode", "A directory or a device.", ({ spec }) => orUnset(spec?.volumeMode))),
  ],
});
