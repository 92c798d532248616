/** What a Deployment reports of itself (upstream `progress.go`, `sync.go` `calculateStatus`). */
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from "../../api/types.ts";
import { desiredReplicas, maxUnavailable } from "./limits.ts";
import { hasDeadline } from "./revisions.ts";
import { allSets, findCondition, renewCondition, replicasOf, sum, withCondition, withoutCondition, type Work } from "./work.ts";

/** The status after this pass. `estimate`: also judge whether the rollout goes on, is done or is stuck. */
export function statusOf(work: Work, estimate: boolean): DeploymentStatus {
  const counts = countsOf(work);
  let conditions = availableCondition(work, counts.availableReplicas ?? 0);
  if (estimate) {
    conditions = hasDeadline(work.deployment) ? progressCondition(work, counts, conditions) : withoutCondition(conditions, "Progressing");
    conditions = failureCondition(work, conditions);
  }
  return { ...counts, ...(conditions.length === 0 ? {} : { conditions }) };
}

function countsOf(work: Work): DeploymentStatus {
  const { deployment, newest } = work;
  const sets = allSets(work);
  const total = (value: (status: NonNullable<ReplicaSet["status"]>) => number | undefined) =>
    sum(sets, ({ status }) => (status === undefined ? 0 : (value(status) ?? 0)));
  const available = total((status) => status.availableReplicas);
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...positive(
      "replicas",
      total((status) => status.replicas),
    ),
    ...positive("updatedReplicas", newest?.status?.replicas ?? 0),
    ...positive(
      "readyReplicas",
      total((status) => status.readyReplicas),
    ),
    ...positive("availableReplicas", available),
    ...positive("unavailableReplicas", Math.max(0, sum(sets, replicasOf) - available)),
    terminatingReplicas: total((status) => status.terminatingReplicas),
    ...(deployment.status?.collisionCount === undefined ? {} : { collisionCount: deployment.status.collisionCount }),
  };
}

function availableCondition({ deployment, conditions, now }: Work, available: number): readonly DeploymentCondition[] {
  const enough = available >= desiredReplicas(deployment) - maxUnavailable(deployment);
  return withCondition(
    conditions,
    enough
      ? { type: "Available", status: "True", reason: "MinimumReplicasAvailable", message: "Deployment has minimum availability." }
      : {
          type: "Available",
          status: "False",
          reason: "MinimumReplicasUnavailable",
          message: "Deployment does not have minimum availability.",
        },
    now,
  );
}

function progressCondition(
  work: Work,
  counts: DeploymentStatus,
  conditions: readonly DeploymentCondition[],
): readonly DeploymentCondition[] {
  const { deployment, newest, now } = work;
  const current = findCondition(conditions, "Progressing");
  // A rollout that was complete stays so: pods that come and go later are no news about it.
  if ((counts.replicas ?? 0) === (counts.updatedReplicas ?? 0) && current?.reason === "NewReplicaSetAvailable") return conditions;
  const what =
    newest === undefined ? `Deployment ${JSON.stringify(deployment.metadata.name)}` : `ReplicaSet ${JSON.stringify(newest.metadata.name)}`;
  if (isComplete(deployment, counts)) {
    return withCondition(
      conditions,
      { type: "Progressing", status: "True", reason: "NewReplicaSetAvailable", message: `${what} has successfully progressed.` },
      now,
    );
  }
  if (madeProgress(deployment.status ?? {}, counts)) {
    return renewCondition(
      conditions,
      { type: "Progressing", status: "True", reason: "ReplicaSetUpdated", message: `${what} is progressing.` },
      now,
    );
  }
  if (isTimedOut(deployment, current, now)) {
    return withCondition(
      conditions,
      { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message: `${what} has timed out progressing.` },
      now,
    );
  }
  return conditions;
}

export function isComplete(
  deployment: Deployment,
  { updatedReplicas = 0, replicas = 0, availableReplicas = 0, observedGeneration = 0 }: DeploymentStatus,
): boolean {
  const desired = desiredReplicas(deployment);
  return (
    updatedReplicas === desired &&
    replicas === desired &&
    availableReplicas === desired &&
    observedGeneration >= (deployment.metadata.generation ?? 0)
  );
}

function madeProgress(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = ({ replicas = 0, updatedReplicas = 0 }: DeploymentStatus) => replicas - updatedReplicas;
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function isTimedOut({ spec }: Deployment, current: DeploymentCondition | undefined, now: number): boolean {
  if (current === undefined || current.reason === "NewReplicaSetAvailable") return false;
  if (current.reason === "ProgressDeadlineExceeded") return true;
  return Date.parse(current.lastUpdateTime ?? "") + (spec?.progressDeadlineSeconds ?? 0) * 1000 < now;
}

/** Milliseconds until the deadline must be looked at again; undefined when nothing waits for it. */
export function deadlineIn(deployment: Deployment, status: DeploymentStatus, now: number): number | undefined {
  const current = findCondition(status.conditions ?? [], "Progressing");
  if (!hasDeadline(deployment) || current === undefined || isComplete(deployment, status)) return undefined;
  if (current.reason === "ProgressDeadlineExceeded" || current.reason === "NewReplicaSetAvailable") return undefined;
  const due = Date.parse(current.lastUpdateTime ?? "") + (deployment.spec?.progressDeadlineSeconds ?? 0) * 1000;
  // A second more, since the times in conditions have no fractions.
  return Math.max(0, due - now) + 1000;
}

/** A ReplicaSet that cannot make its pods speaks through its Deployment; the newest one first. */
function failureCondition(work: Work, conditions: readonly DeploymentCondition[]): readonly DeploymentCondition[] {
  const sets = [...(work.newest === undefined ? [] : [work.newest]), ...work.olds];
  const failure = sets.flatMap(({ status }) => status?.conditions ?? []).find(({ type }) => type === "ReplicaFailure");
  if (failure === undefined) return withoutCondition(conditions, "ReplicaFailure");
  const current = findCondition(conditions, "ReplicaFailure");
  if (current?.status === failure.status && current?.reason === failure.reason) return conditions;
  return [...withoutCondition(conditions, "ReplicaFailure"), { ...failure, lastUpdateTime: failure.lastTransitionTime }];
}

function positive<Key extends string>(key: Key, value: number): { readonly [K in Key]?: number } {
  return value === 0 ? {} : ({ [key]: value } as { readonly [K in Key]?: number });
}
