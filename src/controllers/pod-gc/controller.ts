/** Collects pods that finished long ago, lost their node, or were deleted before they got one. */
import { nodes, pods } from "../../api/resources.ts";
import type { Pod } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { isPodFinished } from "../../decide/endpoints/pod-state.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { removePod } from "./finalize.ts";
import { nodeQuarantineMs, planPodGc } from "./reconcile.ts";

export const podGcController: ControllerEntry = { name: "pod-gc", create };

/** All pods are looked at in one pass. */
const onlyKey = "pods";

function create(context: ControllerContext): Component {
  const podInformer = context.informers.informer(pods);
  const nodeInformer = context.informers.informer(nodes);
  const threshold = context.options.terminatedPodThreshold ?? 12_500;
  const missing = new Map<string, number>();

  const missingSince = (node: string): number | undefined => {
    if (nodeInformer.lister.get(undefined, node) !== undefined) {
      missing.delete(node);
      return undefined;
    }
    if (!missing.has(node)) missing.set(node, context.clock.now());
    return missing.get(node);
  };

  async function reconcile(key: string, queue: KeyQueue): Promise<void> {
    const plan = planPodGc(podInformer.lister.list(), missingSince, threshold, context.clock.now());
    if (plan.waiting) queue.addAfter(key, nodeQuarantineMs);
    for (const pod of plan.remove) await removePod(context.client, pod);
  }

  return createKeyController({
    name: "pod-gc",
    context,
    workers: 1,
    informers: [podInformer, nodeInformer],
    watch: (queue) => {
      const look = () => queue.add(onlyKey);
      const isConcern = (pod: Pod) =>
        isPodFinished(pod) || ((pod.spec?.nodeName ?? "") === "" && pod.metadata.deletionTimestamp !== undefined);
      const podChanged = (pod: Pod) => (isConcern(pod) ? look() : undefined);
      const podAdded = (pod: Pod) => {
        const { nodeName = "" } = pod.spec ?? {};
        if (nodeName !== "" && nodeInformer.lister.get(undefined, nodeName) === undefined) look();
        else podChanged(pod);
      };
      return [podInformer.addHandlers({ added: podAdded, updated: podChanged }), nodeInformer.addHandlers({ deleted: look })];
    },
    reconcile,
  });
}
