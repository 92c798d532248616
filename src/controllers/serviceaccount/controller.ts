/** The `default` ServiceAccount of each namespace (upstream `pkg/controller/serviceaccount`). */
import { namespaces, serviceAccounts } from "../../api/resources.ts";
import type { Namespace, ServiceAccount } from "../../api/types.ts";
import type { Component } from "../../component/component.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController } from "../key-controller.ts";
import { createUnlessThere } from "./finalize.ts";
import { defaultServiceAccount, missingServiceAccount } from "./reconcile.ts";

export const serviceAccountController: ControllerEntry = { name: "serviceaccount", create };

function create(context: ControllerContext): Component {
  const namespaceInformer = context.informers.informer(namespaces);
  const accountInformer = context.informers.informer(serviceAccounts);

  async function reconcile(key: string): Promise<void> {
    const account = missingServiceAccount(namespaceInformer.lister.getByKey(key), accountInformer.lister.get(key, defaultServiceAccount));
    if (account !== undefined) await createUnlessThere(context.client, serviceAccounts, account);
  }

  return createKeyController({
    name: "serviceaccount",
    context,
    informers: [namespaceInformer, accountInformer],
    watch: (queue) => {
      const ofNamespace = ({ metadata }: Namespace) => queue.add(metadata.name ?? "");
      const accountGone = ({ metadata }: ServiceAccount) => {
        if (metadata.name === defaultServiceAccount) queue.add(metadata.namespace ?? "");
      };
      return [
        namespaceInformer.addHandlers({ added: ofNamespace, updated: ofNamespace }),
        accountInformer.addHandlers({ deleted: accountGone }),
      ];
    },
    reconcile,
  });
}
