/** Notices nodes that are not heard from, taints them, and takes their pods out of service (upstream `pkg/controller/nodelifecycle`). */
import { leases, nodes, pods } from "../../api/resources.ts";
import type { Lease, Node, Pod } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { isPodReady } from "../../decide/endpoints/pod-state.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { podNodeValues } from "../indexes.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { finalize, type NodeWriter } from "./finalize.ts";
import { afterAbsence, hear, silentIn, type Heard } from "./health.ts";
import { planNode } from "./reconcile.ts";

export const nodeLifecycleController: ControllerEntry = { name: "nodelifecycle", create };

const leaseNamespace = "kube-node-lease";

/** Upstream's `--node-monitor-grace-period` since 1.32. */
export const defaultGraceMs = 50_000;
/** Upstream's `--node-monitor-period`. */
const monitorMs = 5000;

function create(context: ControllerContext): Component {
  const { client, clock } = context;
  const nodeInformer = context.informers.informer(nodes);
  const leaseInformer = context.informers.informer(leases);
  const podInformer = context.informers.informer(pods);
  podInformer.addIndex("controllers/node", podNodeValues);
  const writer: NodeWriter = { client, recorder: context.recorder("node-controller"), now: () => clock.now() };
  const graceMs = context.options.nodeMonitorGracePeriod ?? defaultGraceMs;
  const heard = new Map<string, Heard>();

  function listen(name: string, node: Node, monotonic: number): Heard {
    const before = heard.get(name);
    const away = isAway(node);
    const now = hear(before, node, leaseInformer.lister.get(leaseNamespace, name), monotonic);
    // A node that counts as gone already stays so until it is heard from.
    const fair = now === before && !away ? afterAbsence(now, graceMs, monotonic) : now;
    heard.set(name, fair);
    return fair;
  }

  async function reconcile(name: string, queue: KeyQueue): Promise<void> {
    const node = nodeInformer.lister.get(undefined, name);
    if (node === undefined) return void heard.delete(name);
    const monotonic = clock.monotonic();
    const now = listen(name, node, monotonic);
    const left = silentIn(now, graceMs, monotonic);
    const plan = planNode(node, left === 0, podInformer.lister.byIndex("controllers/node", name), clock.now());
    await finalize(writer, node, plan);
    if (left > 0) queue.addAfter(name, left);
  }

  return createKeyController({
    name: "nodelifecycle",
    context,
    informers: [nodeInformer, leaseInformer, podInformer],
    watch: (queue) => {
      const ofNode = ({ metadata }: Node) => queue.add(metadata.name ?? "");
      const ofLease = ({ metadata: { namespace, name = "" } }: Lease) => {
        if (namespace === leaseNamespace) queue.add(name);
      };
      const ofPod = (pod: Pod, afterMs: number) => {
        const { nodeName = "" } = pod.spec ?? {};
        if (nodeName !== "" && isPodReady(pod) && isAway(nodeInformer.lister.get(undefined, nodeName))) queue.addAfter(nodeName, afterMs);
      };
      /** Bound to a node that is away. */
      const ofNewPod = (pod: Pod) => ofPod(pod, 0);
      /** Reported ready by its node in its last moment; or the node lives, and what is known of it here is old: no contest of writes then. */
      const ofKnownPod = (pod: Pod) => ofPod(pod, Math.min(monitorMs, graceMs / 5));
      return [
        nodeInformer.addHandlers({ added: ofNode, updated: ofNode, deleted: ofNode }),
        leaseInformer.addHandlers({ added: ofLease, updated: ofLease }),
        podInformer.addHandlers({ added: ofNewPod, updated: ofKnownPod }),
      ];
    },
    reconcile,
  });
}

function isAway(node: Node | undefined): boolean {
  const ready = node?.status?.conditions?.find(({ type }) => type === "Ready")?.status;
  return ready !== undefined && ready !== "True";
}
