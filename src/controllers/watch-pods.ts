/** From changes of pods to the keys of the workloads that they concern: their controller, or those that may adopt them. */
import { keyOf, objectKey, type KubeObject } from "../api/object.ts";
import type { LabelSelector } from "../api/selectors.ts";
import { matchesLabels } from "../api/selectors.ts";
import type { Pod } from "../api/types.ts";
import type { Informer } from "../client/informer.ts";
import { semanticEqual } from "../decide/endpoints/equal.ts";
import { controllerOf } from "./claim.ts";
import type { KeyQueue } from "./key-controller.ts";

export interface PodOwners<T extends KubeObject> {
  /** Of the owner reference: `StatefulSet`. */
  readonly kind: string;
  readonly owners: Informer<T>;
  readonly selectorOf: (owner: T) => LabelSelector;
}

/** Gives the way to stop. */
export function watchPodsOf<T extends KubeObject>(
  pods: Informer<Pod>,
  { kind, owners, selectorOf }: PodOwners<T>,
  queue: Pick<KeyQueue, "add">,
): () => void {
  const ofPod = (pod: Pod) => {
    const owner = controllerOf(pod);
    if (owner === undefined) orphan(pod);
    else if (owner.kind === kind) queue.add(keyOf(pod.metadata.namespace, owner.name));
  };
  const orphan = (pod: Pod) => {
    if (pod.metadata.deletionTimestamp !== undefined) return;
    for (const owner of owners.lister.list(pod.metadata.namespace)) {
      if (matchesLabels(selectorOf(owner), pod.metadata.labels ?? {})) queue.add(objectKey(owner));
    }
  };
  const podChanged = (pod: Pod, old: Pod) => {
    const [now, before] = [controllerOf(pod), controllerOf(old)];
    if (before !== undefined && now?.uid !== before.uid) ofPod(old);
    // An orphan's other changes concern nobody: only new labels can make it match.
    if (now !== undefined || before !== undefined || !semanticEqual(pod.metadata.labels, old.metadata.labels)) ofPod(pod);
  };
  return pods.addHandlers({
    added: ofPod,
    updated: podChanged,
    deleted: (pod) => (controllerOf(pod) === undefined ? undefined : ofPod(pod)),
  });
}
