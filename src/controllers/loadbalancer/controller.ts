/**
 * Gives Services of type LoadBalancer their addresses (upstream `cloud-provider/controllers/service`). Without providers in the
 * options it leaves them `<pending>`, as a cluster without a cloud does.
 */
import { objectKey } from "../../api/object.ts";
import { nodes, services } from "../../api/resources.ts";
import type { Service } from "../../api/types.ts";
import { isReady, type Component } from "../../component/component.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { createPoolProvider } from "./pool.ts";
import type { LoadBalancerProvider } from "./provider.ts";
import { LoadBalancerWork } from "./work.ts";

export const loadBalancerController: ControllerEntry = {
  name: "loadbalancer",
  create: (context) => {
    const { loadBalancer } = context.options;
    return createLoadBalancerController(context, loadBalancer === undefined ? [] : [createPoolProvider(loadBalancer)]);
  },
};

/** No Service has this key: there is no namespace in it. */
const nodesKey = "nodes";

/** `providers`: no two for one class. */
export function createLoadBalancerController(context: ControllerContext, providers: readonly LoadBalancerProvider[]): Component {
  if (providers.length === 0) return { name: "loadbalancer", start: async () => {}, stop: async () => {}, ready: () => isReady };
  const informer = context.informers.informer(services);
  const nodeInformer = context.informers.informer(nodes);
  const own = new OwnWrites(informer, context.clock);
  const work = new LoadBalancerWork({
    providers,
    services: informer.lister,
    nodes: nodeInformer.lister,
    writer: { client: context.client, own },
    recorder: context.recorder("service-controller"),
  });
  const caresForNodes = providers.some(({ update }) => update !== undefined);
  return createKeyController({
    name: "loadbalancer",
    context,
    informers: [informer, nodeInformer],
    follow: () => [own.follow()],
    watch: (queue) => {
      const enqueue = (service: Service) => queue.add(objectKey(service));
      const nodesChanged = () => queue.add(nodesKey);
      return [
        informer.addHandlers({ added: enqueue, updated: enqueue, deleted: enqueue }),
        ...(caresForNodes ? [nodeInformer.addHandlers({ added: nodesChanged, updated: nodesChanged, deleted: nodesChanged })] : []),
      ];
    },
    async reconcile(key, queue) {
      if (key === nodesKey) return await work.nodesChanged();
      for (const waiting of await work.sync(key)) queue.add(waiting);
    },
    // One at a time: what one Service releases the next may take, in the order in which they came.
    workers: 1,
  });
}
