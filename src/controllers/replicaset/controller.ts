/** ReplicaSets: as many pods as wanted (upstream `pkg/controller/replicaset`). */
import { matchesLabels, selectorOf } from "../../api/selectors.ts";
import { keyOf, objectKey, splitKey } from "../../api/object.ts";
import { pods, replicaSets } from "../../api/resources.ts";
import type { Pod, ReplicaSet } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { controllerOf } from "../claim.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { addControllerIndex } from "../indexes.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { claimPods, createPods, deletePods, writeStatus, type ReplicaSetWriter } from "./finalize.ts";
import { nextAvailable, planReplicaSet, replicaSetStatus } from "./reconcile.ts";

export const replicaSetController: ControllerEntry = { name: "replicaset", create };

function create(context: ControllerContext): Component {
  const { client, clock, random } = context;
  const setInformer = context.informers.informer(replicaSets);
  const podInformer = context.informers.informer(pods);
  const podsOf = addControllerIndex(podInformer);
  const setsOf = addControllerIndex(setInformer);
  const writer: ReplicaSetWriter = {
    client,
    recorder: context.recorder("replicaset-controller"),
    ownPods: new OwnWrites(podInformer, clock),
    ownSets: new OwnWrites(setInformer, clock),
  };

  const heldOrOrphan = (set: ReplicaSet): readonly Pod[] => {
    const { uid = "", namespace = "" } = set.metadata;
    const belongs = (pod: Pod) => pod.metadata.namespace === namespace && (controllerOf(pod)?.uid ?? uid) === uid;
    return writer.ownPods.over(podsOf(uid, namespace), belongs);
  };
  /** Pods of the sets that share an owner with this one: of all revisions of one Deployment. */
  const related = (set: ReplicaSet): readonly Pod[] => {
    const owner = controllerOf(set)?.uid;
    const family =
      owner === undefined ? [set] : setsOf(owner, set.metadata.namespace ?? "").filter((other) => controllerOf(other)?.uid === owner);
    return family.flatMap((member) => podInformer.lister.byIndex("controllers/controller", member.metadata.uid ?? ""));
  };

  async function reconcile(key: string, queue: KeyQueue): Promise<void> {
    const { namespace, name } = splitKey(key);
    const set = writer.ownSets.get(namespace, name);
    if (set === undefined) return;
    const now = clock.now();
    const plan = planReplicaSet(set, heldOrOrphan(set), () => related(set), now, random);
    await claimPods(writer, set, plan);
    const failure = plan.create > 0 ? await createPods(writer, set, plan.create) : await deletePods(writer, set, plan.remove);
    await writeStatus(writer, set, replicaSetStatus(set, plan, failure, now));
    if (failure !== undefined) throw new Error(failure.message);
    const wait = nextAvailable(set, plan.active, now);
    if (wait !== undefined) queue.addAfter(key, wait);
  }

  return createKeyController({
    name: "replicaset",
    context,
    informers: [setInformer, podInformer],
    follow: () => [writer.ownPods.follow(), writer.ownSets.follow()],
    watch: (queue) => {
      const enqueue = (set: ReplicaSet) => queue.add(objectKey(set));
      const ofPod = (pod: Pod) => {
        const owner = controllerOf(pod);
        if (owner === undefined) orphan(pod);
        else if (owner.kind === "ReplicaSet") queue.add(keyOf(pod.metadata.namespace, owner.name));
      };
      const orphan = (pod: Pod) => {
        if (pod.metadata.deletionTimestamp !== undefined) return;
        for (const set of setInformer.lister.list(pod.metadata.namespace)) {
          if (matchesLabels(selectorOf(set.spec?.selector), pod.metadata.labels ?? {})) enqueue(set);
        }
      };
      const podChanged = (pod: Pod, old: Pod) => {
        if (controllerOf(pod)?.uid !== controllerOf(old)?.uid && controllerOf(old) !== undefined) ofPod(old);
        // An orphan's other changes concern nobody: only new labels can make it match.
        if (controllerOf(pod) !== undefined || controllerOf(old) !== undefined || !semanticEqual(pod.metadata.labels, old.metadata.labels))
          ofPod(pod);
      };
      return [
        setInformer.addHandlers({ added: enqueue, updated: enqueue, deleted: enqueue }),
        podInformer.addHandlers({
          added: ofPod,
          updated: podChanged,
          deleted: (pod) => (controllerOf(pod) === undefined ? undefined : ofPod(pod)),
        }),
      ];
    },
    reconcile,
  });
}
