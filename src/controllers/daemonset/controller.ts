/** DaemonSets: a pod on each node that fits (upstream `pkg/controller/daemon`). */
import { objectKey, splitKey } from "../../api/object.ts";
import { controllerRevisions, daemonSets, nodes, pods } from "../../api/resources.ts";
import { selectorOf } from "../../api/selectors.ts";
import { templateGenerationAnnotation } from "../../api/kinds/daemon-sets.ts";
import type { ControllerRevision, DaemonSet, Node, Pod } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { Breather } from "../breather.ts";
import { claim, controllerOf } from "../claim.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { nextAvailable } from "../counts.ts";
import { addControllerIndex } from "../indexes.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { claimPods, createPods, deletePods } from "../pod-control.ts";
import { hashOf, planRevision, podRevisionLabel, sortRevisions, surplusRevisions } from "../revision-history.ts";
import { deleteRevision, writeRevision } from "../revision-writer.ts";
import { watchPodsOf } from "../watch-pods.ts";
import { reportEnded, writeStatus, type DaemonSetWriter } from "./finalize.ts";
import { daemonPod } from "./placement.ts";
import { planDaemonSet } from "./reconcile.ts";

export const daemonSetController: ControllerEntry = { name: "daemonset", create };

function create(context: ControllerContext): Component {
  const { client, clock } = context;
  const setInformer = context.informers.informer(daemonSets);
  const podInformer = context.informers.informer(pods);
  const nodeInformer = context.informers.informer(nodes);
  const revisionInformer = context.informers.informer(controllerRevisions);
  const podsOf = addControllerIndex(podInformer);
  const revisionsOf = addControllerIndex(revisionInformer);
  const writer: DaemonSetWriter = {
    client,
    recorder: context.recorder("daemonset-controller"),
    ownPods: new OwnWrites(podInformer, clock),
    breather: new Breather(clock),
    ownSets: new OwnWrites(setInformer, clock),
    ownRevisions: new OwnWrites(revisionInformer, clock),
  };

  async function membersOf(set: DaemonSet): Promise<readonly Pod[]> {
    const { uid = "", namespace = "" } = set.metadata;
    const mayBelong = (pod: Pod) => pod.metadata.namespace === namespace && (controllerOf(pod)?.uid ?? uid) === uid;
    const claims = claim(set, selectorOf(set.spec?.selector), writer.ownPods.over(podsOf(uid, namespace), mayBelong));
    await claimPods(writer, set, daemonSets, claims);
    return [...claims.held, ...claims.adopt].map((pod) => writer.ownPods.newest(pod));
  }

  function revisionsOfSet(set: DaemonSet): readonly ControllerRevision[] {
    const { uid = "", namespace = "" } = set.metadata;
    const belongs = (revision: ControllerRevision) => revision.metadata.namespace === namespace && controllerOf(revision)?.uid === uid;
    return sortRevisions(writer.ownRevisions.over(revisionsOf(uid, namespace), belongs).filter(belongs));
  }

  async function reconcile(key: string, queue: KeyQueue): Promise<void> {
    const { namespace, name } = splitKey(key);
    const set = writer.ownSets.get(namespace, name);
    if (set?.spec === undefined) return;
    const members = await membersOf(set);
    const revisions = revisionsOfSet(set);
    const collisionCount = set.status?.collisionCount ?? 0;
    const outcome = await writeRevision(
      writer,
      planRevision({ object: set, resource: daemonSets, template: set.spec.template, collisionCount }, revisions),
    );
    if (outcome.kind === "collision") return countCollision(set, collisionCount);
    const hash = hashOf(outcome.revision);
    const now = clock.now();
    const plan = planDaemonSet({ set, nodes: nodeInformer.lister.list(), pods: members, hash, now });
    reportEnded(writer, set, plan.ended);
    const generation = set.metadata.annotations?.[templateGenerationAnnotation] ?? "1";
    const failure =
      (await createPods(
        writer,
        set,
        plan.create.map((node) => daemonPod(set, node, hash, generation)),
      )) ?? (await deletePods(writer, set, plan.remove));
    await writeStatus(writer, set, plan.status);
    if (failure !== undefined) throw new Error(failure.message);
    await truncate(set, revisions, members, hash);
    const wait = nextAvailable(set.spec.minReadySeconds ?? 0, members, now);
    if (wait !== undefined) queue.addAfter(key, wait);
  }

  async function countCollision(set: DaemonSet, collisionCount: number): Promise<void> {
    const status = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0, ...set.status };
    await writeStatus(writer, set, { ...status, collisionCount: collisionCount + 1 });
  }

  async function truncate({ spec, metadata }: DaemonSet, revisions: readonly ControllerRevision[], members: readonly Pod[], hash: string) {
    if (metadata.deletionTimestamp !== undefined) return;
    const live = new Set([hash, ...members.map((pod) => pod.metadata.labels?.[podRevisionLabel] ?? "")]);
    const surplus = surplusRevisions(revisions, spec?.revisionHistoryLimit ?? 10, (revision) => live.has(hashOf(revision)));
    for (const revision of surplus) await deleteRevision(writer, revision);
  }

  return createKeyController({
    name: "daemonset",
    context,
    informers: [setInformer, podInformer, nodeInformer, revisionInformer],
    follow: () => [writer.ownPods.follow(), writer.ownSets.follow(), writer.ownRevisions.follow()],
    watch: (queue) => {
      const enqueue = (set: DaemonSet) => queue.add(objectKey(set));
      const all = () => setInformer.lister.list().forEach(enqueue);
      const owners = { kind: "DaemonSet", owners: setInformer, selectorOf: ({ spec }: DaemonSet) => selectorOf(spec?.selector) };
      return [
        setInformer.addHandlers({ added: enqueue, updated: enqueue }),
        watchPodsOf(podInformer, owners, queue),
        nodeInformer.addHandlers({
          added: all,
          updated: (node, old) => (semanticEqual(placementFacts(node), placementFacts(old)) ? undefined : all()),
          deleted: all,
        }),
      ];
    },
    reconcile,
  });
}

/** What of a node says whether a daemon runs there: not its heartbeats. */
const placementFacts = ({ metadata, spec }: Node): object => ({ labels: metadata.labels, taints: spec?.taints });
