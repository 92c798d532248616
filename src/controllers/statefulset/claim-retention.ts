/** With whom the claims of a StatefulSet go: with the set, with their pod, or with nobody (KEP-1847). Pure. */
import { pods, statefulSets } from "../../api/resources.ts";
import type { OwnerReference, PersistentVolumeClaim, Pod, StatefulSet } from "../../api/types.ts";
import { controllerReference } from "../claim.ts";
import { claimName, ordinalOf } from "./identity.ts";

export interface ClaimOwner {
  /** The claim's name. */
  readonly claim: string;
  readonly owner: OwnerReference | undefined;
}

export function claimOwners(set: StatefulSet, members: readonly Pod[]): readonly ClaimOwner[] {
  const templates = set.spec?.volumeClaimTemplates ?? [];
  return members.flatMap((pod) => {
    const ordinal = ordinalOf(set, pod) ?? 0;
    const owner = ownerOf(set, ordinal, pod);
    return templates.map((template) => ({ claim: claimName(template, set, ordinal), owner }));
  });
}

function ownerOf(set: StatefulSet, ordinal: number, pod: Pod): OwnerReference | undefined {
  const { whenDeleted = "Retain", whenScaled = "Retain" } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  const start = set.spec?.ordinals?.start ?? 0;
  const condemned = ordinal < start || ordinal >= start + (set.spec?.replicas ?? 1);
  if (condemned && whenScaled === "Delete") return plain(controllerReference(pod, pods));
  return whenDeleted === "Delete" ? plain(controllerReference(set, statefulSets)) : undefined;
}

/** A claim is owned, not controlled. */
function plain({ apiVersion, kind, name, uid }: OwnerReference): OwnerReference {
  return { apiVersion, kind, name, uid };
}

/** The claim's owner references as they should be; undefined when they are. Strangers' references stay. */
export function retainedBy(
  set: StatefulSet,
  claim: PersistentVolumeClaim,
  owner: OwnerReference | undefined,
): readonly OwnerReference[] | undefined {
  const present = claim.metadata.ownerReferences ?? [];
  const ours = (reference: OwnerReference) =>
    reference.uid === set.metadata.uid || (reference.kind === "Pod" && reference.name.startsWith(`${set.metadata.name}-`));
  const wanted = [...present.filter((reference) => !ours(reference)), ...(owner === undefined ? [] : [owner])];
  const same = wanted.length === present.length && wanted.every(({ uid }) => present.some((reference) => reference.uid === uid));
  return same ? undefined : wanted;
}
