/** Deployments: ReplicaSets of one template after another, one rollout step at a time (upstream `pkg/controller/deployment`). */
import { keyOf, objectKey, splitKey } from "../../api/object.ts";
import { deployments, pods, replicaSets } from "../../api/resources.ts";
import { matchesLabels, selectorOf } from "../../api/selectors.ts";
import type { Deployment, Pod, ReplicaSet } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { claim, controllerOf } from "../claim.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { addControllerIndex } from "../indexes.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { claimSets, finalize, type DeploymentWriter } from "./finalize.ts";
import { planDeployment } from "./reconcile.ts";

export const deploymentController: ControllerEntry = { name: "deployment", create };

function create(context: ControllerContext): Component {
  const { client, clock } = context;
  const deploymentInformer = context.informers.informer(deployments);
  const setInformer = context.informers.informer(replicaSets);
  const podInformer = context.informers.informer(pods);
  const setsOf = addControllerIndex(setInformer);
  addControllerIndex(podInformer);
  const writer: DeploymentWriter = {
    client,
    recorder: context.recorder("deployment-controller"),
    now: () => clock.now(),
    ownSets: new OwnWrites(setInformer, clock),
    ownDeployments: new OwnWrites(deploymentInformer, clock),
  };

  const heldOrOrphan = ({ metadata: { uid = "", namespace = "" } }: Deployment): readonly ReplicaSet[] =>
    writer.ownSets.over(setsOf(uid, namespace), (set) => set.metadata.namespace === namespace && (controllerOf(set)?.uid ?? uid) === uid);
  const podsOf = (setUid: string): readonly Pod[] => podInformer.lister.byIndex("controllers/controller", setUid);

  async function reconcile(key: string, queue: KeyQueue): Promise<void> {
    const { namespace, name } = splitKey(key);
    const deployment = writer.ownDeployments.get(namespace, name);
    if (deployment === undefined) return;
    const claims = claim(deployment, selectorOf(deployment.spec?.selector), heldOrOrphan(deployment));
    await claimSets(writer, deployment, claims);
    const sets = [...claims.held, ...claims.adopt]
      .map((set) => writer.ownSets.newest(set))
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const plan = planDeployment(deployment, sets, podsOf, clock.now());
    await finalize(writer, deployment, plan);
    if (plan.againIn !== undefined) queue.addAfter(key, plan.againIn);
  }

  return createKeyController({
    name: "deployment",
    context,
    informers: [deploymentInformer, setInformer, podInformer],
    follow: () => [writer.ownSets.follow(), writer.ownDeployments.follow()],
    watch: (queue) => {
      const enqueue = (deployment: Deployment) => queue.add(objectKey(deployment));
      const ofSet = (set: ReplicaSet) => {
        const owner = controllerOf(set);
        if (owner === undefined) orphan(set);
        else if (owner.kind === "Deployment") queue.add(keyOf(set.metadata.namespace, owner.name));
      };
      const orphan = (set: ReplicaSet) => {
        for (const deployment of deploymentInformer.lister.list(set.metadata.namespace)) {
          if (matchesLabels(selectorOf(deployment.spec?.selector), set.metadata.labels ?? {})) enqueue(deployment);
        }
      };
      const setChanged = (set: ReplicaSet, old: ReplicaSet) => {
        if (controllerOf(old) !== undefined && controllerOf(old)?.uid !== controllerOf(set)?.uid) ofSet(old);
        if (controllerOf(set) !== undefined || controllerOf(old) !== undefined || !semanticEqual(set.metadata.labels, old.metadata.labels))
          ofSet(set);
      };
      /** Recreate waits until the last old pod is gone. */
      const podGone = (pod: Pod) => {
        const owner = controllerOf(pod);
        const set = owner?.kind === "ReplicaSet" ? setInformer.lister.get(pod.metadata.namespace, owner.name) : undefined;
        const deployment = set === undefined ? undefined : controllerOf(set);
        if (deployment?.kind === "Deployment") queue.add(keyOf(pod.metadata.namespace, deployment.name));
      };
      return [
        deploymentInformer.addHandlers({ added: enqueue, updated: enqueue }),
        setInformer.addHandlers({
          added: ofSet,
          updated: setChanged,
          deleted: (set) => (controllerOf(set) === undefined ? undefined : ofSet(set)),
        }),
        podInformer.addHandlers({ deleted: podGone }),
      ];
    },
    reconcile,
  });
}
