/** StatefulSets: pods with names of their own, made and replaced in order (upstream `pkg/controller/statefulset`). */
import { objectKey, splitKey } from "../../api/object.ts";
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from "../../api/resources.ts";
import { selectorOf } from "../../api/selectors.ts";
import type { ControllerRevision, Pod, StatefulSet } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { Breather } from "../breather.ts";
import { claim, controllerOf } from "../claim.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { nextAvailable } from "../counts.ts";
import { addControllerIndex } from "../indexes.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { claimPods } from "../pod-control.ts";
import { planRevision, sortRevisions, surplusRevisions } from "../revision-history.ts";
import { deleteRevision, writeRevision } from "../revision-writer.ts";
import { watchPodsOf } from "../watch-pods.ts";
import { takeStep, writeClaimOwners, writeStatus, type StatefulSetWriter } from "./finalize.ts";
import { ordinalOf, revisionOf } from "./identity.ts";
import { planStatefulSet } from "./reconcile.ts";

export const statefulSetController: ControllerEntry = { name: "statefulset", create };

function create(context: ControllerContext): Component {
  const { client, clock } = context;
  const setInformer = context.informers.informer(statefulSets);
  const podInformer = context.informers.informer(pods);
  const revisionInformer = context.informers.informer(controllerRevisions);
  const claimInformer = context.informers.informer(persistentVolumeClaims);
  const podsOf = addControllerIndex(podInformer);
  const revisionsOf = addControllerIndex(revisionInformer);
  const writer: StatefulSetWriter = {
    client,
    recorder: context.recorder("statefulset-controller"),
    claims: claimInformer.lister,
    ownPods: new OwnWrites(podInformer, clock),
    breather: new Breather(clock),
    ownSets: new OwnWrites(setInformer, clock),
    ownRevisions: new OwnWrites(revisionInformer, clock),
  };

  const belongsTo =
    ({ metadata: { uid, namespace } }: StatefulSet) =>
    (object: Pod | ControllerRevision) =>
      object.metadata.namespace === namespace && controllerOf(object)?.uid === uid;

  /** Adopts pods that carry one of the set's names; gives those that it has then. */
  async function membersOf(set: StatefulSet): Promise<readonly Pod[]> {
    const { uid = "", namespace = "" } = set.metadata;
    const mayBelong = (pod: Pod) =>
      pod.metadata.namespace === namespace && (controllerOf(pod)?.uid ?? uid) === uid && ordinalOf(set, pod) !== undefined;
    const candidates = writer.ownPods.over(podsOf(uid, namespace), mayBelong).filter(mayBelong);
    const claims = claim(set, selectorOf(set.spec?.selector), candidates);
    await claimPods(writer, set, statefulSets, claims);
    return [...claims.held, ...claims.adopt].map((pod) => writer.ownPods.newest(pod));
  }

  async function reconcile(key: string, queue: KeyQueue): Promise<void> {
    const { namespace, name } = splitKey(key);
    const set = writer.ownSets.get(namespace, name);
    if (set?.spec === undefined) return;
    const members = await membersOf(set);
    const revisions = sortRevisions(
      writer.ownRevisions.over(revisionsOf(set.metadata.uid ?? "", set.metadata.namespace ?? ""), belongsTo(set)).filter(belongsTo(set)),
    );
    const collisionCount = set.status?.collisionCount ?? 0;
    const owner = { object: set, resource: statefulSets, template: set.spec.template, collisionCount };
    const outcome = await writeRevision(writer, planRevision(owner, revisions));
    if (outcome.kind === "collision") {
      return writeStatus(writer, set, { ...set.status, replicas: set.status?.replicas ?? 0, collisionCount: collisionCount + 1 });
    }
    const update = outcome.revision;
    const current = revisions.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update;
    const now = clock.now();
    const plan = planStatefulSet({ set, pods: members, current, update, now });
    await writeClaimOwners(writer, set, plan.claimOwners);
    // First, so that it is written though a step may fail.
    await writeStatus(writer, set, plan.status);
    for (const step of plan.steps) await takeStep(writer, set, step);
    await truncate(set, revisions, members);
    const wait = nextAvailable(set.spec.minReadySeconds ?? 0, members, now);
    if (wait !== undefined) queue.addAfter(key, wait);
  }

  async function truncate({ spec, status, metadata }: StatefulSet, revisions: readonly ControllerRevision[], members: readonly Pod[]) {
    if (metadata.deletionTimestamp !== undefined) return;
    const live = new Set([status?.currentRevision, status?.updateRevision, revisions.at(-1)?.metadata.name, ...members.map(revisionOf)]);
    const surplus = surplusRevisions(revisions, spec?.revisionHistoryLimit ?? 10, (revision) => live.has(revision.metadata.name ?? ""));
    for (const revision of surplus) await deleteRevision(writer, revision);
  }

  return createKeyController({
    name: "statefulset",
    context,
    informers: [setInformer, podInformer, revisionInformer, claimInformer],
    follow: () => [writer.ownPods.follow(), writer.ownSets.follow(), writer.ownRevisions.follow()],
    watch: (queue) => {
      const enqueue = (set: StatefulSet) => queue.add(objectKey(set));
      const owners = { kind: "StatefulSet", owners: setInformer, selectorOf: ({ spec }: StatefulSet) => selectorOf(spec?.selector) };
      return [setInformer.addHandlers({ added: enqueue, updated: enqueue }), watchPodsOf(podInformer, owners, queue)];
    },
    reconcile,
  });
}
