/** The status of a StatefulSet (`stateful_set_control.go` `computeReplicaStatus`, `completeRollingUpdate`). Pure. */
import type { Pod, StatefulSetStatus } from "../../api/types.ts";
import { isPodAvailable, isPodReady, isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { positive } from "../counts.ts";
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
