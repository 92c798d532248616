/**
 * Claims and volumes find each other; a claim of a class of ours gets a new directory (upstream
 * `pkg/controller/volume/persistentvolume`, `pvcprotection`, `pvprotection`). Pure.
 */
import { isDefaultStorageClass } from "../../api/kinds/storage-classes.ts";
import type { PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from "../../api/types.ts";
import { isPodFinished } from "../../decide/endpoints/pod-state.ts";
import { directoryProvisioner } from "../systemobjects/reconcile.ts";
import { findVolume, isReservedFor } from "./match.ts";

export type ClaimPlan =
  | { readonly kind: "none" }
  /** It named no class: it gets the default one. */
  | { readonly kind: "setClass"; readonly name: string }
  | { readonly kind: "bind"; readonly volume: PersistentVolume }
  | { readonly kind: "provision"; readonly storageClass: StorageClass }
  /** Bound already; its status says so, and how large the volume is. */
  | { readonly kind: "report"; readonly volume: PersistentVolume }
  | { readonly kind: "lost"; readonly message: string }
  | { readonly kind: "wait"; readonly type: "Normal" | "Warning"; readonly reason: string; readonly message: string }
  /** It is being deleted and no pod uses it. */
  | { readonly kind: "release" };

export interface ClaimInput {
  readonly claim: PersistentVolumeClaim;
  readonly volumes: readonly PersistentVolume[];
  readonly classes: readonly StorageClass[];
  /** Pods that mount the claim. */
  readonly users: readonly Pod[];
  /** There is a directory for new volumes. */
  readonly provisions: boolean;
}

export function planClaim(input: ClaimInput): ClaimPlan {
  const { claim, volumes, users } = input;
  if (claim.metadata.deletionTimestamp !== undefined) return users.every(isPodFinished) ? { kind: "release" } : { kind: "none" };
  const name = claim.spec?.volumeName ?? "";
  if (name === "") return planUnbound(input);
  const volume = volumes.find(({ metadata }) => metadata.name === name);
  if (volume === undefined)
    return claim.status?.phase === "Bound" ? lost(claim) : wait("FailedBinding", `volume ${JSON.stringify(name)} not found`);
  if (isReservedFor(volume, claim))
    return volume.spec?.claimRef?.uid === claim.metadata.uid ? { kind: "report", volume } : { kind: "bind", volume };
  if (volume.spec?.claimRef === undefined) return { kind: "bind", volume };
  return wait("FailedBinding", `volume ${JSON.stringify(name)} already bound to a different claim.`);
}

function lost({ spec }: PersistentVolumeClaim): ClaimPlan {
  return { kind: "lost", message: `Bound claim has lost its PersistentVolume ${spec?.volumeName}. Data on the volume is lost!` };
}

function wait(reason: string, message: string, type: "Normal" | "Warning" = "Warning"): ClaimPlan {
  return { kind: "wait", type, reason, message };
}

function planUnbound({ claim, volumes, classes, users, provisions }: ClaimInput): ClaimPlan {
  const className = claim.spec?.storageClassName;
  if (className === undefined) {
    const standard = defaultClass(classes);
    if (standard !== undefined) return { kind: "setClass", name: standard.metadata.name ?? "" };
  }
  const storageClass = classes.find(({ metadata }) => metadata.name === className);
  if (storageClass?.volumeBindingMode === "WaitForFirstConsumer" && users.length === 0) {
    return wait("WaitForFirstConsumer", "waiting for first consumer to be created before binding", "Normal");
  }
  const volume = findVolume(claim, volumes);
  if (volume !== undefined) return { kind: "bind", volume };
  if ((className ?? "") === "")
    return wait("FailedBinding", "no persistent volumes available for this claim and no storage class is set", "Normal");
  if (storageClass === undefined) return wait("ProvisioningFailed", `storageclass.storage.k8s.io ${JSON.stringify(className)} not found`);
  if (storageClass.provisioner === directoryProvisioner && provisions) return { kind: "provision", storageClass };
  const external = `Waiting for a volume to be created either by the external provisioner '${storageClass.provisioner}' or manually by the system administrator.`;
  return wait(
    "ExternalProvisioning",
    `${external} If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
    "Normal",
  );
}

/** Of several the youngest, as upstream's admission has it. */
function defaultClass(classes: readonly StorageClass[]): StorageClass | undefined {
  return classes
    .filter(isDefaultStorageClass)
    .sort((a, b) => (b.metadata.creationTimestamp ?? "").localeCompare(a.metadata.creationTimestamp ?? ""))[0];
}

export type VolumePlan =
  | { readonly kind: "none" }
  | { readonly kind: "phase"; readonly phase: "Available" | "Bound" | "Released" | "Failed" }
  /** Its claim is gone, and it was made for that claim: its directory goes, then the volume. */
  | { readonly kind: "reclaim" }
  /** It is being deleted and bound to nobody. */
  | { readonly kind: "release" };

/** `claim`: the one that `claimRef` names, as the API has it. */
export function planVolume(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumePlan {
  const reference = volume.spec?.claimRef;
  const bound = reference !== undefined && claim !== undefined && (reference.uid ?? "") === claim.metadata.uid;
  if (volume.metadata.deletionTimestamp !== undefined) return bound ? { kind: "none" } : { kind: "release" };
  if (reference === undefined || (reference.uid ?? "") === "") return phase(volume, "Available");
  if (bound) return phase(volume, "Bound");
  const ours = volume.metadata.annotations?.[provisionedBy] === directoryProvisioner;
  if (volume.spec?.persistentVolumeReclaimPolicy === "Delete" && ours) return { kind: "reclaim" };
  return phase(volume, "Released");
}

export const provisionedBy = "pv.kubernetes.io/provisioned-by";

function phase(volume: PersistentVolume, wanted: Extract<VolumePlan, { readonly kind: "phase" }>["phase"]): VolumePlan {
  return volume.status?.phase === wanted ? { kind: "none" } : { kind: "phase", phase: wanted };
}
