/** Ends pods on nodes whose `NoExecute` taints they do not bear, or no longer (upstream `pkg/controller/tainteviction`). */
import { objectKey } from "../../api/object.ts";
import { nodes, pods } from "../../api/resources.ts";
import type { Node, Pod } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { podNodeValues } from "../indexes.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { evict } from "./finalize.ts";
import { planEviction } from "./reconcile.ts";

export const taintEvictionController: ControllerEntry = { name: "tainteviction", create };

function create(context: ControllerContext): Component {
  const { client, clock } = context;
  const podInformer = context.informers.informer(pods);
  const nodeInformer = context.informers.informer(nodes);
  podInformer.addIndex("controllers/node", podNodeValues);
  const recorder = context.recorder("taint-eviction-controller");
  /** Pod uid → when its taints were first seen, on a clock that only moves forward: a laptop's sleep evicts nobody. */
  const since = new Map<string, number>();

  async function reconcile(key: string, queue: KeyQueue): Promise<void> {
    const pod = podInformer.lister.getByKey(key);
    if (pod === undefined) return;
    const { uid = "" } = pod.metadata;
    const plan = planEviction(pod, nodeInformer.lister.get(undefined, pod.spec?.nodeName ?? ""));
    if (plan.kind === "stay") return void since.delete(uid);
    const now = clock.monotonic();
    const start = since.get(uid) ?? now;
    since.set(uid, start);
    const left = start + plan.afterMs - now;
    if (left > 0) return queue.addAfter(key, left);
    await evict(client, recorder, pod, clock.now());
    since.delete(uid);
  }

  return createKeyController({
    name: "tainteviction",
    context,
    informers: [podInformer, nodeInformer],
    watch: (queue) => {
      const ofPod = (pod: Pod) => {
        const node = nodeInformer.lister.get(undefined, pod.spec?.nodeName ?? "");
        if (since.has(pod.metadata.uid ?? "") || hardTaints(node).length > 0) queue.add(objectKey(pod));
      };
      const podChanged = (pod: Pod, old: Pod) => (semanticEqual(facts(pod), facts(old)) ? undefined : ofPod(pod));
      const ofNode = ({ metadata }: Node) => {
        for (const pod of podInformer.lister.byIndex("controllers/node", metadata.name ?? "")) queue.add(objectKey(pod));
      };
      return [
        podInformer.addHandlers({ added: ofPod, updated: podChanged, deleted: ({ metadata }) => since.delete(metadata.uid ?? "") }),
        nodeInformer.addHandlers({
          added: (node) => (hardTaints(node).length > 0 ? ofNode(node) : undefined),
          updated: (node, old) => (semanticEqual(hardTaints(node), hardTaints(old)) ? undefined : ofNode(node)),
        }),
      ];
    },
    reconcile,
  });
}

const hardTaints = (node: Node | undefined) => (node?.spec?.taints ?? []).filter(({ effect }) => effect === "NoExecute");

const facts = ({ spec, metadata }: Pod): object => ({
  node: spec?.nodeName,
  tolerations: spec?.tolerations,
  going: metadata.deletionTimestamp !== undefined,
});
