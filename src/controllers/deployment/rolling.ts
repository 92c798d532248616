/** One step of a rolling update (upstream `rolling.go`): up as far as the surge allows, else down as far as availability allows. */
import type { ReplicaSet } from "../../api/types.ts";
import { desiredReplicas, minAvailable } from "./limits.ts";
import { newestSize } from "./revisions.ts";
import { allSets, isActive, replicasOf, scale, sum, type Work } from "./work.ts";

/**
 * Never more than the set is to have: its status may still count pods that its last scaling down takes away, and to take
 * the same pods away twice would leave too few (upstream trusts the status here).
 */
const availableOf = (set: ReplicaSet): number => Math.min(replicasOf(set), set.status?.availableReplicas ?? 0);

/** True when the newest set changed its size. */
export function scaleNewest(work: Work): boolean {
  const { newest, deployment } = work;
  if (newest === undefined || replicasOf(newest) === desiredReplicas(deployment)) return false;
  const down = replicasOf(newest) > desiredReplicas(deployment);
  return scale(work, newest, down ? desiredReplicas(deployment) : newestSize(work, replicasOf(newest)));
}

/**
 * Takes pods away from the older sets: first those that do not serve anyhow, then as many as leave `minAvailable`. Pods
 * of the newest set that are still coming up count as missing.
 */
export function scaleDownOlds(work: Work): boolean {
  const { deployment, newest } = work;
  if (sum(work.olds, replicasOf) === 0) return false;
  const coming = newest === undefined ? 0 : replicasOf(newest) - availableOf(newest);
  const most = sum(allSets(work), replicasOf) - minAvailable(deployment) - coming;
  if (most <= 0) return false;
  const unhealthy = removeUnhealthy(work, most);
  return removeServing(work) || unhealthy;
}

function removeUnhealthy(work: Work, most: number): boolean {
  let removed = 0;
  for (const set of work.olds.filter(isActive)) {
    const idle = replicasOf(set) - availableOf(set);
    const count = Math.min(most - removed, idle);
    if (count <= 0) continue;
    scale(work, set, replicasOf(set) - count);
    removed += count;
  }
  return removed > 0;
}

function removeServing(work: Work): boolean {
  let spare = sum(allSets(work), availableOf) - minAvailable(work.deployment);
  let removed = false;
  for (const set of work.olds.filter(isActive)) {
    const count = Math.min(replicasOf(set), spare);
    if (count <= 0) continue;
    scale(work, set, replicasOf(set) - count);
    spare -= count;
    removed = true;
  }
  return removed;
}
