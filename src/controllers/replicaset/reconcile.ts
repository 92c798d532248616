/** What a ReplicaSet lacks or has too much of (upstream `pkg/controller/replicaset/replica_set.go`). Pure. */
import { matchesLabels, selectorOf, type LabelSelector } from "../../api/selectors.ts";
import type { Pod, ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from "../../api/types.ts";
import { isPodAvailable, isPodFinished, isPodReady, isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { rfc3339 } from "../../lib/clock.ts";
import { claim } from "../claim.ts";
import { positive } from "../counts.ts";
import type { ReplicaFailure } from "../pod-control.ts";
import { choosePodsToDelete } from "./rank.ts";

/** Most pods made or deleted in one go; upstream `BurstReplicas`. */
export const burstReplicas = 500;

export interface ReplicaSetPlan {
  readonly adopt: readonly Pod[];
  readonly release: readonly Pod[];
  /** How many pods to make. */
  readonly create: number;
  readonly remove: readonly Pod[];
  /** Pods that count: held or about to be adopted, neither finished nor going. */
  readonly active: readonly Pod[];
  readonly terminating: readonly Pod[];
}

/**
 * `pods`: those that the set controls and orphans of its namespace. `related`: pods of all sets with the same owner, by
 * which crowded nodes are told (upstream `getIndirectlyRelatedPods`); asked for only when pods must go.
 */
export function planReplicaSet(
  set: ReplicaSet,
  pods: readonly Pod[],
  related: () => readonly Pod[],
  now: number,
  random: () => number,
): ReplicaSetPlan {
  const living = pods.filter((pod) => !isPodFinished(pod) && !isPodTerminating(pod));
  const { held, adopt, release } = claim(set, selectorOf(set.spec?.selector), living);
  const active = [...held, ...adopt];
  const terminating = pods.filter((pod) => isPodTerminating(pod) && !isPodFinished(pod) && ownsPod(set, pod));
  const surplus = active.length - (set.spec?.replicas ?? 1);
  const going = set.metadata.deletionTimestamp !== undefined;
  return {
    adopt,
    release,
    create: going ? 0 : Math.min(burstReplicas, Math.max(0, -surplus)),
    remove: going || surplus <= 0 ? [] : choosePodsToDelete(active, related(), Math.min(burstReplicas, surplus), now, random),
    active,
    terminating,
  };
}

function ownsPod(set: ReplicaSet, pod: Pod): boolean {
  return pod.metadata.ownerReferences?.some(({ uid, controller }) => controller === true && uid === set.metadata.uid) ?? false;
}

export function replicaSetStatus(
  set: ReplicaSet,
  plan: Pick<ReplicaSetPlan, "active" | "terminating">,
  failure: ReplicaFailure | undefined,
  now: number,
): ReplicaSetStatus {
  const minReady = set.spec?.minReadySeconds ?? 0;
  const template: LabelSelector = selectorOf({ matchLabels: set.spec?.template?.metadata?.labels ?? {} });
  const count = (test: (pod: Pod) => boolean) => plan.active.filter(test).length;
  const ready = plan.active.filter(isPodReady);
  const conditions = conditionsWith(set.status?.conditions ?? [], failure, now);
  return {
    replicas: plan.active.length,
    ...positive(
      "fullyLabeledReplicas",
      count((pod) => matchesLabels(template, pod.metadata.labels ?? {})),
    ),
    ...positive("readyReplicas", ready.length),
    ...positive("availableReplicas", minReady === 0 ? ready.length : ready.filter((pod) => isPodAvailable(pod, minReady, now)).length),
    terminatingReplicas: plan.terminating.length,
    observedGeneration: set.metadata.generation ?? 0,
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

function conditionsWith(
  conditions: readonly ReplicaSetCondition[],
  failure: ReplicaFailure | undefined,
  now: number,
): readonly ReplicaSetCondition[] {
  const others = conditions.filter(({ type }) => type !== "ReplicaFailure");
  if (failure === undefined) return others;
  const current = conditions.find(({ type }) => type === "ReplicaFailure");
  if (current?.status === "True" && current.reason === failure.reason) return conditions;
  return [
    ...others,
    { type: "ReplicaFailure", status: "True", lastTransitionTime: rfc3339(now), reason: failure.reason, message: failure.message },
  ];
}
