/** The scheduler: gives each pending pod a node, and tries again when nodes or pods change. */
import { objectKey, splitKey } from "../../api/object.ts";
import { namespaces, nodes, persistentVolumeClaims, podDisruptionBudgets, pods } from "../../api/resources.ts";
import { isConflict, isNotFound } from "../../api/status.ts";
import type { Node, PersistentVolumeClaim, Pod } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { isPodFinished } from "../../decide/endpoints/pod-state.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { podNodeValues } from "../indexes.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { bindPod, preempt, reportNotScheduled } from "./finalize.ts";
import { Placements } from "./placements.ts";
import { planScheduling, schedulerName } from "./reconcile.ts";
import type { SchedulingView } from "./view.ts";

export const schedulerController: ControllerEntry = { name: "scheduler", create };

function create(context: ControllerContext): Component {
  const { client, clock, random } = context;
  const podInformer = context.informers.informer(pods);
  const nodeInformer = context.informers.informer(nodes);
  podInformer.addIndex("controllers/node", podNodeValues);
  const namespaceInformer = context.informers.informer(namespaces);
  const claimInformer = context.informers.informer(persistentVolumeClaims);
  const budgetInformer = context.informers.informer(podDisruptionBudgets);
  podInformer.addIndex("scheduler/nominated", nominatedValues);
  const recorder = context.recorder(schedulerName);
  const own = new OwnWrites(podInformer, clock);

  const placements = new Placements();

  const view = (): SchedulingView => ({
    nodes: nodeInformer.lister.list(),
    placed: (node) => placements.on(node),
    nominated: (node) => podInformer.lister.byIndex("scheduler/nominated", node),
    budgets: () => budgetInformer.lister.list(),
    avoiding: () => placements.avoiding(),
    siblings: (uid) => placements.siblings(uid),
    namespaceLabels: (name) => namespaceInformer.lister.get(undefined, name)?.metadata.labels ?? {},
    claim: (namespace, name) => claimInformer.lister.get(namespace, name),
  });

  async function reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const pod = own.get(namespace, name);
    if (pod === undefined || podInformer.lister.get(namespace, name) === undefined) return;
    const plan = planScheduling(pod, view(), random);
    switch (plan.kind) {
      case "notOurs":
        return;
      case "gated":
        return reportNotScheduled(client, pod, "SchedulingGated", plan.message, clock.now());
      case "unschedulable":
        recorder.event(pod, "Warning", "FailedScheduling", plan.message);
        await reportNotScheduled(client, pod, "Unschedulable", plan.message, clock.now());
        return plan.preempt === undefined ? undefined : preempt(client, recorder, pod, plan.preempt, clock.now());
      case "bind":
        return bind(pod, plan.node);
      default:
        return plan satisfies never;
    }
  }

  async function bind(pod: Pod, node: string): Promise<void> {
    try {
      await bindPod(client, pod, node);
    } catch (error) {
      // Gone, or bound by somebody else: the informer will tell.
      if (isNotFound(error) || isConflict(error)) return;
      recorder.event(pod, "Warning", "FailedScheduling", `Binding rejected: ${errorMessage(error)}`);
      throw error;
    }
    const bound: Pod = { ...pod, spec: { ...pod.spec, containers: pod.spec?.containers ?? [], nodeName: node } };
    own.assume(bound);
    // The informer may be ahead of us already.
    if ((podInformer.lister.get(pod.metadata.namespace, pod.metadata.name ?? "")?.spec?.nodeName ?? "") === "") placements.assume(bound);
    recorder.event(pod, "Normal", "Scheduled", `Successfully assigned ${objectKey(pod)} to ${node}`);
  }

  return createKeyController({
    name: "scheduler",
    context,
    // One at a time, as upstream: two choices at once could overfill a node.
    workers: 1,
    informers: [podInformer, nodeInformer, namespaceInformer, claimInformer, budgetInformer],
    follow: () => [own.follow(), placements.follow(podInformer)],
    watch: (queue: KeyQueue) => {
      const isPending = (pod: Pod) => (pod.spec?.nodeName ?? "") === "" && pod.metadata.deletionTimestamp === undefined;
      const enqueue = (pod: Pod) => (isPending(pod) ? queue.add(objectKey(pod)) : undefined);
      const retryThose = (which: (pod: Pod) => boolean) =>
        podInformer.lister.byIndex("controllers/node", "").filter(which).forEach(enqueue);
      const retryAll = () => retryThose(() => true);
      const podChanged = (pod: Pod, old: Pod) => {
        if (isPending(pod) && !semanticEqual({ ...pod.spec, ...pod.metadata.labels }, { ...old.spec, ...old.metadata.labels }))
          enqueue(pod);
        if (isPodFinished(pod) && !isPodFinished(old)) retryAll();
        if (!isPending(pod) && isPending(old)) retryThose(looksAtPods);
      };
      const nodeChanged = (node: Node, old: Node) => {
        if (!semanticEqual(schedulingFacts(node), schedulingFacts(old))) retryAll();
      };
      const mounts =
        ({ metadata }: PersistentVolumeClaim) =>
        (pod: Pod) =>
          pod.metadata.namespace === metadata.namespace &&
          (pod.spec?.volumes ?? []).some(({ persistentVolumeClaim: volume }) => volume?.claimName === metadata.name);
      const ofClaim = (claim: PersistentVolumeClaim) => retryThose(mounts(claim));
      return [
        claimInformer.addHandlers({ added: ofClaim, updated: ofClaim }),
        podInformer.addHandlers({ added: enqueue, updated: podChanged, deleted: retryAll }),
        nodeInformer.addHandlers({ added: retryAll, updated: nodeChanged }),
      ];
    },
    reconcile,
  });
}

/** The node that is kept for a pod which is nowhere yet. */
function nominatedValues({ spec, status }: Pod): readonly string[] {
  const node = status?.nominatedNodeName ?? "";
  return node === "" || (spec?.nodeName ?? "") !== "" ? [] : [node];
}

/** What of a node the filters look at: its heartbeats are no reason to try again. */
function schedulingFacts({ metadata, spec, status }: Node): object {
  const ready = status?.conditions?.find(({ type }) => type === "Ready")?.status;
  return { labels: metadata.labels, taints: spec?.taints, unschedulable: spec?.unschedulable, allocatable: status?.allocatable, ready };
}

/** Where other pods are placed changes where it may go. */
function looksAtPods({ spec }: Pod): boolean {
  return spec?.affinity?.podAffinity !== undefined || (spec?.topologySpreadConstraints ?? []).length > 0;
}
