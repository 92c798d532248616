/**
 * One pass over a Deployment: from it, its ReplicaSets and pods to the writes that bring it one step on (upstream
 * `deployment_controller.go` `syncDeployment`). Pure.
 */
import { selectorOf, selectsEverything } from "../../api/selectors.ts";
import type { Deployment, DeploymentStatus, Pod, ReplicaSet } from "../../api/types.ts";
import { isPodFinished } from "../../decide/endpoints/pod-state.ts";
import { desiredReplicas, isRollingUpdate } from "./limits.ts";
import { isScalingEvent, scaleAll } from "./proportional.ts";
import { byAge, cleanUpHistory, findNewest, hasDeadline, syncNewest } from "./revisions.ts";
import { scaleDownOlds, scaleNewest } from "./rolling.ts";
import { deadlineIn, isComplete, statusOf } from "./status.ts";
import { findCondition, isActive, scale, withCondition, type DeploymentWrite, type PlannedEvent, type Work } from "./work.ts";

export interface DeploymentPlan {
  readonly writes: readonly DeploymentWrite[];
  readonly events: readonly PlannedEvent[];
  readonly status: DeploymentStatus;
  /** Look again after so many milliseconds: the progress deadline. */
  readonly againIn?: number;
}

/** `sets`: those that the Deployment holds. `pods`: those of a set, by its uid. */
export function planDeployment(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  pods: (setUid: string) => readonly Pod[],
  now: number,
): DeploymentPlan {
  if (selectsEverything(selectorOf(deployment.spec?.selector))) return selectsAll(deployment);
  const work = begin(deployment, sets, now);
  if (deployment.metadata.deletionTimestamp !== undefined) {
    syncNewest(work, false);
    return { writes: [], events: [], status: statusOf(work, false) };
  }
  pausedCondition(work);
  const estimate = advance(work, pods);
  const status = statusOf(work, estimate);
  const againIn = estimate ? deadlineIn(deployment, status, now) : undefined;
  return { writes: work.writes, events: work.events, status, ...(againIn === undefined ? {} : { againIn }) };
}

function begin(deployment: Deployment, sets: readonly ReplicaSet[], now: number): Work {
  const newest = findNewest(deployment, sets);
  const olds = sets.filter((set) => set !== newest).sort(byAge);
  return { deployment, now, olds, newest, conditions: deployment.status?.conditions ?? [], writes: [], events: [] };
}

function selectsAll(deployment: Deployment): DeploymentPlan {
  const message = "This deployment is selecting all pods. A non-empty selector is required.";
  const status = { ...deployment.status, observedGeneration: deployment.metadata.generation ?? 0 };
  return { writes: [], events: [{ type: "Warning", reason: "SelectingAll", message }], status };
}

/** So that time spent paused is not held against the progress deadline. */
function pausedCondition(work: Work): void {
  const { deployment, now } = work;
  const current = findCondition(work.conditions, "Progressing");
  if (!hasDeadline(deployment) || current?.reason === "ProgressDeadlineExceeded") return;
  const wasPaused = current?.reason === "DeploymentPaused";
  if (deployment.spec?.paused === true && !wasPaused) {
    work.conditions = withCondition(
      work.conditions,
      { type: "Progressing", status: "Unknown", reason: "DeploymentPaused", message: "Deployment is paused" },
      now,
    );
  } else if (deployment.spec?.paused !== true && wasPaused) {
    work.conditions = withCondition(
      work.conditions,
      { type: "Progressing", status: "Unknown", reason: "DeploymentResumed", message: "Deployment is resumed" },
      now,
    );
  }
}

/** The step itself; true when it is part of a rollout, whose progress is then judged. */
function advance(work: Work, pods: (setUid: string) => readonly Pod[]): boolean {
  if (work.deployment.spec?.paused === true || isScalingEvent(work)) {
    syncNewest(work, false);
    scaleAll(work);
    cleanUpHistory(work);
    return false;
  }
  if (isRollingUpdate(work.deployment)) roll(work);
  else recreate(work, pods);
  return true;
}

function roll(work: Work): void {
  syncNewest(work, true);
  if (scaleNewest(work) || scaleDownOlds(work)) return;
  if (isComplete(work.deployment, statusOf(work, false))) cleanUpHistory(work);
}

/** All old pods are gone before the first new one is made (upstream `recreate.go`). */
function recreate(work: Work, pods: (setUid: string) => readonly Pod[]): void {
  syncNewest(work, false);
  const active = work.olds.filter(isActive);
  for (const set of active) scale(work, set, 0);
  if (active.length > 0 || oldPodsRun(work, pods)) return;
  if (work.newest === undefined) syncNewest(work, true);
  else scale(work, work.newest, desiredReplicas(work.deployment));
  if (isComplete(work.deployment, statusOf(work, false))) cleanUpHistory(work);
}

function oldPodsRun({ olds }: Work, pods: (setUid: string) => readonly Pod[]): boolean {
  return olds.some(({ metadata, status }) => (status?.replicas ?? 0) > 0 || pods(metadata.uid ?? "").some((pod) => !isPodFinished(pod)));
}
