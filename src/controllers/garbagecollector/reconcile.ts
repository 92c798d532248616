/**
 * What becomes of an object by its owners (upstream `pkg/controller/garbagecollector` `attemptToDeleteItem`,
 * `processDeletingDependentsItem`). Pure: what is known of the owners and dependents comes in.
 */
import type { KubeObject } from "../../api/object.ts";
import type { OwnerReference } from "../../api/types.ts";

export const foregroundFinalizer = "foregroundDeletion";
export const orphanFinalizer = "orphan";

export type OwnerState =
  | "solid"
  /** Being deleted in the foreground: it waits until its dependents are gone. */
  | "waiting"
  /** Gone, or another object has its name. */
  | "absent";

export type CollectPlan =
  | { readonly kind: "keep" }
  | {
      readonly kind: "delete";
      readonly policy: "Background" | "Foreground" | "Orphan";
      /** First its owners stop waiting for it: one of its dependents is being deleted in the foreground, which may be a circle. */
      readonly unblock?: true;
    }
  /** It has a living owner: references to others, gone or going, are taken away. */
  | { readonly kind: "dropReferences"; readonly uids: readonly string[] };

/** What to do with an object that is not being deleted itself. `states` are those of its owners, in their order. */
export function planByOwners(object: KubeObject, states: readonly OwnerState[], dependents: readonly KubeObject[]): CollectPlan {
  const owners = object.metadata.ownerReferences ?? [];
  if (owners.length === 0) return { kind: "keep" };
  const uids = (state: OwnerState) => owners.filter((_, i) => states[i] === state).map(({ uid }) => uid);
  if (uids("solid").length > 0) {
    const loose = [...uids("absent"), ...uids("waiting")];
    return loose.length === 0 ? { kind: "keep" } : { kind: "dropReferences", uids: loose };
  }
  // The owner's deletion in the foreground goes on down the tree.
  if (uids("waiting").length > 0 && dependents.length > 0)
    return { kind: "delete", policy: "Foreground", ...(dependents.some(isWaiting) ? { unblock: true as const } : {}) };
  return { kind: "delete", policy: finalizerPolicy(object) };
}

function finalizerPolicy({ metadata }: KubeObject): "Background" | "Foreground" | "Orphan" {
  if (metadata.finalizers?.includes(orphanFinalizer)) return "Orphan";
  return metadata.finalizers?.includes(foregroundFinalizer) ? "Foreground" : "Background";
}

export type DependentsPlan =
  /** Nothing to do for the sake of dependents. */
  | { readonly kind: "none" }
  /** Each dependent is to be looked at: its owner is waiting. */
  | { readonly kind: "collect"; readonly dependents: readonly KubeObject[] }
  /** Each dependent loses its reference, then the finalizer goes. */
  | { readonly kind: "orphan"; readonly dependents: readonly KubeObject[] }
  | { readonly kind: "removeFinalizer"; readonly finalizer: string };

/** What an object that is being deleted wants for its dependents. */
export function planForDependents(object: KubeObject, dependents: readonly KubeObject[]): DependentsPlan {
  const { deletionTimestamp, finalizers = [], uid } = object.metadata;
  if (deletionTimestamp === undefined) return { kind: "none" };
  if (finalizers.includes(orphanFinalizer))
    return dependents.length > 0 ? { kind: "orphan", dependents } : { kind: "removeFinalizer", finalizer: orphanFinalizer };
  if (!finalizers.includes(foregroundFinalizer)) return { kind: "none" };
  const blocks = (reference: OwnerReference) => reference.uid === uid && reference.blockOwnerDeletion === true;
  const isBlocked = dependents.some(({ metadata }) => metadata.ownerReferences?.some(blocks));
  return isBlocked ? { kind: "collect", dependents } : { kind: "removeFinalizer", finalizer: foregroundFinalizer };
}

/** The state of an owner, from the object that now has its name. */
export function ownerState(reference: OwnerReference, found: KubeObject | undefined): OwnerState {
  if (found === undefined || found.metadata.uid !== reference.uid) return "absent";
  return isWaiting(found) ? "waiting" : "solid";
}

/** Being deleted in the foreground. */
function isWaiting({ metadata: { deletionTimestamp, finalizers } }: KubeObject): boolean {
  return deletionTimestamp !== undefined && finalizers?.includes(foregroundFinalizer) === true;
}
