/** PodDisruptionBudgets: what evictions are allowed (upstream `pkg/controller/disruption`). */
import { objectKey, type KubeObject } from "../../api/object.ts";
import { deployments, podDisruptionBudgets, pods, replicaSets, replicationControllers, statefulSets } from "../../api/resources.ts";
import { matchesLabels, selectorOf } from "../../api/selectors.ts";
import type { Pod, PodDisruptionBudget } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { isPodReady } from "../../decide/endpoints/pod-state.ts";
import { controllerOf } from "../claim.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { writeBudget } from "./finalize.ts";
import { planBudget, type Scale } from "./reconcile.ts";

export const disruptionController: ControllerEntry = { name: "disruption", create };

function create(context: ControllerContext): Component {
  const { client, clock, informers } = context;
  const budgets = informers.informer(podDisruptionBudgets);
  const podInformer = informers.informer(pods);
  const deploymentInformer = informers.informer(deployments);
  const setInformer = informers.informer(replicaSets);
  const scaled = [deploymentInformer, setInformer, informers.informer(statefulSets), informers.informer(replicationControllers)];
  const recorder = context.recorder("controllermanager");

  const matching = ({ metadata, spec }: PodDisruptionBudget): readonly Pod[] =>
    podInformer.lister.list(metadata.namespace).filter((pod) => matchesLabels(selectorOf(spec?.selector), pod.metadata.labels ?? {}));

  /** The object whose replicas a pod is one of: a Deployment rather than its ReplicaSet. */
  function ownerOf(pod: Pod): (KubeObject & { readonly spec?: { readonly replicas?: number | undefined } | undefined }) | undefined {
    const reference = controllerOf(pod);
    const kind = scaled.find(({ resource }) => resource.kind === reference?.kind);
    const owner = kind?.lister.get(pod.metadata.namespace, reference?.name ?? "");
    const above = owner === undefined ? undefined : controllerOf(owner);
    const deployment = above?.kind === "Deployment" ? deploymentInformer.lister.get(pod.metadata.namespace, above.name) : undefined;
    return deployment ?? owner;
  }

  function scaleOf(members: readonly Pod[]): Scale {
    const replicas = new Map<string, number>();
    for (const pod of members) {
      const owner = ownerOf(pod);
      if (owner === undefined) return { kind: "unknown", message: `found no controllers for pod ${JSON.stringify(pod.metadata.name)}` };
      replicas.set(owner.metadata.uid ?? "", owner.spec?.replicas ?? 1);
    }
    return { kind: "known", replicas: [...replicas.values()].reduce((sum, count) => sum + count, 0) };
  }

  async function reconcile(key: string, queue: KeyQueue): Promise<void> {
    const budget = budgets.lister.getByKey(key);
    if (budget === undefined || budget.metadata.deletionTimestamp !== undefined) return;
    const members = matching(budget);
    const plan = planBudget(budget, members, () => scaleOf(members), clock.now());
    await writeBudget(client, recorder, budget, plan);
    if (plan.againIn !== undefined) queue.addAfter(key, plan.againIn);
  }

  return createKeyController({
    name: "disruption",
    context,
    informers: [budgets, podInformer, ...scaled],
    watch: (queue) => {
      const enqueue = (budget: PodDisruptionBudget) => queue.add(objectKey(budget));
      const ofPod = (pod: Pod) => {
        for (const budget of budgets.lister.list(pod.metadata.namespace)) {
          if (matchesLabels(selectorOf(budget.spec?.selector), pod.metadata.labels ?? {})) enqueue(budget);
        }
      };
      const podChanged = (pod: Pod, old: Pod) => {
        if (semanticEqual(facts(pod), facts(old))) return;
        ofPod(pod);
        if (!semanticEqual(pod.metadata.labels, old.metadata.labels)) ofPod(old);
      };
      const ofNamespace = ({ metadata }: KubeObject) => budgets.lister.list(metadata.namespace).forEach(enqueue);
      const resized = (object: KubeObject, old: KubeObject) => (replicasOf(object) === replicasOf(old) ? undefined : ofNamespace(object));
      return [
        budgets.addHandlers({ added: enqueue, updated: enqueue }),
        podInformer.addHandlers({ added: ofPod, updated: podChanged, deleted: ofPod }),
        ...scaled.map((informer) => informer.addHandlers({ added: ofNamespace, updated: resized, deleted: ofNamespace })),
      ];
    },
    reconcile,
  });
}

const facts = (pod: Pod): object => ({
  labels: pod.metadata.labels,
  ready: isPodReady(pod),
  going: pod.metadata.deletionTimestamp !== undefined,
  owner: controllerOf(pod)?.uid,
});

const replicasOf = (object: KubeObject & { readonly spec?: { readonly replicas?: number } }): number | undefined => object.spec?.replicas;
