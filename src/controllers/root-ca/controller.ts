/** The ConfigMap `kube-root-ca.crt` of each namespace (upstream `pkg/controller/certificates/rootcacertpublisher`). */
import { configMaps, namespaces } from "../../api/resources.ts";
import type { ConfigMap, Namespace } from "../../api/types.ts";
import { isReady, type Component } from "../../component/component.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController } from "../key-controller.ts";
import { writeRootCa } from "./finalize.ts";
import { planRootCa, rootCaName } from "./reconcile.ts";

export const rootCaController: ControllerEntry = { name: "root-ca", create };

function create(context: ControllerContext): Component {
  const { rootCA } = context.options;
  // Without TLS there is no CA, and so nothing to publish.
  if (rootCA === undefined) return { name: "root-ca", start: async () => undefined, stop: async () => undefined, ready: () => isReady };
  const namespaceInformer = context.informers.informer(namespaces);
  const configMapInformer = context.informers.informer(configMaps);

  async function reconcile(key: string): Promise<void> {
    await writeRootCa(
      context.client,
      planRootCa(namespaceInformer.lister.getByKey(key), configMapInformer.lister.get(key, rootCaName), rootCA ?? ""),
    );
  }

  return createKeyController({
    name: "root-ca",
    context,
    informers: [namespaceInformer, configMapInformer],
    watch: (queue) => {
      const ofNamespace = ({ metadata }: Namespace) => queue.add(metadata.name ?? "");
      const ofConfigMap = ({ metadata }: ConfigMap) => {
        if (metadata.name === rootCaName) queue.add(metadata.namespace ?? "");
      };
      return [
        namespaceInformer.addHandlers({ added: ofNamespace }),
        configMapInformer.addHandlers({ updated: ofConfigMap, deleted: ofConfigMap }),
      ];
    },
    reconcile,
  });
}
