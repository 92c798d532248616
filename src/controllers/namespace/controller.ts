/** Deleted namespaces: all their content goes first (upstream `pkg/controller/namespace`). */
import { namespaces, pods } from "../../api/resources.ts";
import type { Namespace } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { emptyNamespace, letGo, writeStatus } from "./finalize.ts";
import { isEmpty, namespaceFinalizer, terminatingStatus } from "./reconcile.ts";

export const namespaceController: ControllerEntry = { name: "namespace", create };

/**
 * From a namespace's deletion to the deletion of its content. `kubectl delete -f` names the namespace first and its content
 * after it: without a pause it would find nothing left and call that an error. Upstream waits 5 s (`namespaceDeletionGracePeriod`).
 */
const beginAfterMs = 500;
/** While content with finalizers or grace periods is left; pods that go are noticed at once. */
const lookAgainAfterMs = 1000;

function create(context: ControllerContext): Component {
  const { client, clock, informers } = context;
  const namespaceInformer = informers.informer(namespaces);
  const podInformer = informers.informer(pods);

  async function reconcile(key: string, queue: KeyQueue): Promise<void> {
    const namespace = namespaceInformer.lister.getByKey(key);
    if (namespace === undefined || namespace.metadata.deletionTimestamp === undefined) return;
    if (!(namespace.spec?.finalizers ?? []).includes(namespaceFinalizer)) return;
    const facts = await emptyNamespace(client, key);
    if (isEmpty(facts)) return letGo(client, namespace);
    await writeStatus(client, namespace, terminatingStatus(namespace, facts, clock.now()));
    queue.addAfter(key, lookAgainAfterMs);
  }

  return createKeyController({
    name: "namespace",
    context,
    informers: [namespaceInformer, podInformer],
    watch: (queue) => {
      const enqueue = ({ metadata }: Namespace) => {
        if (metadata.deletionTimestamp !== undefined) queue.add(metadata.name ?? "");
      };
      const becameTerminating = (namespace: Namespace, old: Namespace) => {
        if (old.metadata.deletionTimestamp === undefined) queue.addAfter(namespace.metadata.name ?? "", beginAfterMs);
      };
      const podGone = (pod: { readonly metadata: { readonly namespace?: string | undefined } }) => {
        const namespace = namespaceInformer.lister.get(undefined, pod.metadata.namespace ?? "");
        if (namespace !== undefined) enqueue(namespace);
      };
      return [namespaceInformer.addHandlers({ added: enqueue, updated: becameTerminating }), podInformer.addHandlers({ deleted: podGone })];
    },
    reconcile,
  });
}
