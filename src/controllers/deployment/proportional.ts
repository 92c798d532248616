/** A change of `spec.replicas`: one active set takes it whole; in the middle of a rollout all take their share (upstream `sync.go` `scale`). */
import type { ReplicaSet } from "../../api/types.ts";
import { desiredReplicas, isRollingUpdate, maxSurge } from "./limits.ts";
import { allSets, desiredAnnotation, isActive, maxAnnotation, replicasOf, scale, sum, type Work } from "./work.ts";

/** Some active set was sized for another number of replicas than is wanted now. */
export function isScalingEvent(work: Work): boolean {
  const desired = String(desiredReplicas(work.deployment));
  return allSets(work)
    .filter(isActive)
    .some(({ metadata }) => metadata.annotations?.[desiredAnnotation] !== undefined && metadata.annotations[desiredAnnotation] !== desired);
}

export function scaleAll(work: Work): void {
  const desired = desiredReplicas(work.deployment);
  const active = allSets(work).filter(isActive);
  const only = active.length <= 1 ? (active[0] ?? work.newest ?? work.olds.at(-1)) : undefined;
  if (only !== undefined) return void scale(work, only, desired);
  if (isSaturated(work)) {
    for (const set of work.olds.filter(isActive)) scale(work, set, 0);
    return;
  }
  if (isRollingUpdate(work.deployment)) scaleInProportion(work, active);
}

/** The newest set has all its pods, and all serve. */
function isSaturated({ newest, deployment }: Work): boolean {
  if (newest === undefined) return false;
  const desired = desiredReplicas(deployment);
  return (
    replicasOf(newest) === desired &&
    newest.metadata.annotations?.[desiredAnnotation] === String(desired) &&
    (newest.status?.availableReplicas ?? 0) === desired
  );
}

function scaleInProportion(work: Work, active: readonly ReplicaSet[]): void {
  const desired = desiredReplicas(work.deployment);
  const allowed = desired > 0 ? desired + maxSurge(work.deployment) : 0;
  const change = allowed - sum(active, replicasOf);
  // Growing, the largest and newest gains first; shrinking, the largest and oldest gives first.
  const newer = (a: ReplicaSet, b: ReplicaSet) => (a.metadata.creationTimestamp ?? "").localeCompare(b.metadata.creationTimestamp ?? "");
  const ordered = [...active].sort((a, b) => replicasOf(b) - replicasOf(a) || (change > 0 ? newer(b, a) : newer(a, b)));
  let done = 0;
  const sizes = ordered.map((set) => {
    const share = change === 0 ? 0 : shareOf(work, set, change - done);
    done += share;
    return replicasOf(set) + share;
  });
  ordered.forEach((set, i) => scale(work, set, Math.max(0, (sizes[i] as number) + (i === 0 ? change - done : 0))));
}

function shareOf({ deployment }: Work, set: ReplicaSet, left: number): number {
  if (left === 0) return 0;
  const desired = desiredReplicas(deployment);
  if (desired === 0) return Math.max(-replicasOf(set), left);
  const before = Number(set.metadata.annotations?.[maxAnnotation] ?? 0) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  const share = Math.round((replicasOf(set) * (desired + maxSurge(deployment))) / before) - replicasOf(set);
  return left > 0 ? Math.min(share, left) : Math.max(share, left);
}
