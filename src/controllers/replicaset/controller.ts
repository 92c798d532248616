/** ReplicaSets and ReplicationControllers: as many pods as wanted (upstream `pkg/controller/replicaset`, `pkg/controller/replication`). */
import { objectKey, splitKey } from "../../api/object.ts";
import { pods } from "../../api/resources.ts";
import { selectorOf } from "../../api/selectors.ts";
import type { Pod, ReplicaSet } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { Breather } from "../breather.ts";
import { controllerOf, controllerReference } from "../claim.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { nextAvailable } from "../counts.ts";
import { addControllerIndex } from "../indexes.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { claimPods, createPods, deletePods, podFromTemplate } from "../pod-control.ts";
import { watchPodsOf } from "../watch-pods.ts";
import { writeStatus, type ReplicaSetWriter } from "./finalize.ts";
import { planReplicaSet, replicaSetStatus } from "./reconcile.ts";
import { replicaSetKind, replicationControllerKind, type Replicated, type ReplicatedKind } from "./replicated.ts";

export const replicaSetController: ControllerEntry = {
  name: replicaSetKind.name,
  create: (context) => create(context, replicaSetKind),
};

export const replicationController: ControllerEntry = {
  name: replicationControllerKind.name,
  create: (context) => create(context, replicationControllerKind),
};

function create<T extends Replicated>(context: ControllerContext, kind: ReplicatedKind<T>): Component {
  const { client, clock, random } = context;
  const setInformer = context.informers.informer(kind.resource);
  const podInformer = context.informers.informer(pods);
  const podsOf = addControllerIndex(podInformer);
  const setsOf = addControllerIndex(setInformer);
  const writer: ReplicaSetWriter<T> = {
    client,
    resource: kind.resource,
    recorder: context.recorder(kind.component),
    ownPods: new OwnWrites(podInformer, clock),
    breather: new Breather(clock),
    ownSets: new OwnWrites(setInformer, clock),
  };

  const heldOrOrphan = ({ metadata: { uid = "", namespace = "" } }: ReplicaSet): readonly Pod[] => {
    const belongs = (pod: Pod) => pod.metadata.namespace === namespace && (controllerOf(pod)?.uid ?? uid) === uid;
    return writer.ownPods.over(podsOf(uid, namespace), belongs);
  };
  /** Pods of the sets that share an owner with this one: of all revisions of one Deployment. */
  const related = (set: ReplicaSet): readonly Pod[] => {
    const owner = controllerOf(set)?.uid;
    const family: readonly Replicated[] =
      owner === undefined ? [set] : setsOf(owner, set.metadata.namespace ?? "").filter((other) => controllerOf(other)?.uid === owner);
    return family.flatMap((member) => podInformer.lister.byIndex("controllers/controller", member.metadata.uid ?? ""));
  };

  async function reconcile(key: string, queue: KeyQueue): Promise<void> {
    const { namespace, name } = splitKey(key);
    const object = writer.ownSets.get(namespace, name);
    if (object === undefined) return;
    const set = kind.view(object);
    const now = clock.now();
    const plan = planReplicaSet(set, heldOrOrphan(set), () => related(set), now, random);
    await claimPods(writer, object, kind.resource, plan);
    const pod = podFromTemplate(set, set.spec?.template, controllerReference(object, kind.resource));
    const wanted = Array.from({ length: plan.create }, () => pod);
    const failure = plan.create > 0 ? await createPods(writer, object, wanted) : await deletePods(writer, object, plan.remove);
    await writeStatus(writer, object, kind.status(replicaSetStatus(set, plan, failure, now)));
    if (failure !== undefined) throw new Error(failure.message);
    const wait = nextAvailable(set.spec?.minReadySeconds ?? 0, plan.active, now);
    if (wait !== undefined) queue.addAfter(key, wait);
  }

  return createKeyController({
    name: kind.name,
    context,
    informers: [setInformer, podInformer],
    follow: () => [writer.ownPods.follow(), writer.ownSets.follow()],
    watch: (queue) => {
      const enqueue = (set: T) => queue.add(objectKey(set));
      const owners = { kind: kind.resource.kind, owners: setInformer, selectorOf: (set: T) => selectorOf(kind.view(set).spec?.selector) };
      return [setInformer.addHandlers({ added: enqueue, updated: enqueue, deleted: enqueue }), watchPodsOf(podInformer, owners, queue)];
    },
    reconcile,
  });
}
