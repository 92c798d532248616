/** The status of a StatefulSet (`stateful_set_control.go` `computeReplicaStatus`, `completeRollingUpdate`). Pure. */
import type { Pod, StatefulSetStatus } from "../../api/types.ts";
import { isPodAvailable, isPodReady, isPodTerminating, podCondition } from "../../decide/endpoints/pod-state.ts";
import { revisionOf } from "./identity.ts";
import type { StatefulSetInput } from "./reconcile.ts";

export function statefulSetStatus({ set, current, update, now }: StatefulSetInput, pods: readonly Pod[]): StatefulSetStatus {
  const minReady = set.spec?.minReadySeconds ?? 0;
  const count = (test: (pod: Pod) => boolean) => pods.filter(test).length;
  const isReady = (pod: Pod) => pod.status?.phase === "Running" && isPodReady(pod);
  const of = (revision: string) => count((pod) => !isPodTerminating(pod) && revisionOf(pod) === revision);
  const [currentName, updateName] = [current.metadata.name ?? "", update.metadata.name ?? ""];
  const readyReplicas = count(isReady);
  const counts = {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: pods.length,
    ...positive("readyReplicas", readyReplicas),
    availableReplicas: count((pod) => isReady(pod) && isPodAvailable(pod, minReady, now)),
    ...positive("updatedReplicas", of(updateName)),
    updateRevision: updateName,
    collisionCount: set.status?.collisionCount ?? 0,
  };
  const rolling = (set.spec?.updateStrategy?.type ?? "RollingUpdate") === "RollingUpdate";
  const complete = rolling && of(updateName) === pods.length && readyReplicas === pods.length && pods.length === (set.spec?.replicas ?? 1);
  const [revision, replicas] = complete ? [updateName, of(updateName)] : [currentName, of(currentName)];
  return { ...counts, ...positive("currentReplicas", replicas), currentRevision: revision };
}

/** Go omits zeros from these fields. */
function positive<Key extends string>(key: Key, value: number): { readonly [K in Key]?: number } {
  return value === 0 ? {} : ({ [key]: value } as { readonly [K in Key]?: number });
}

/** Milliseconds until the next pod has been ready for `minReadySeconds`; undefined when none waits for it. */
export function nextAvailable(minReadySeconds: number, pods: readonly Pod[], now: number): number | undefined {
  if (minReadySeconds === 0) return undefined;
  const waits = pods
    .filter(isPodReady)
    .map((pod) => Date.parse(podCondition(pod, "Ready")?.lastTransitionTime ?? "") + minReadySeconds * 1000 - now)
    .filter((wait) => wait > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}
