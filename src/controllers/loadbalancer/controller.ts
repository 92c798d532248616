/**
 * Gives Services of type LoadBalancer their addresses (upstream `cloud-provider/controllers/service`). Without providers in the
 * options it leaves them `<pending>`, as a cluster without a cloud does.
 */
import { objectKey, splitKey } from "../../api/object.ts";
import { nodes, services } from "../../api/resources.ts";
import { isConflict, isNotFound } from "../../api/status.ts";
import type { Service } from "../../api/types.ts";
import { isReady, type Component } from "../../component/component.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { ControllerContext, ControllerEntry } from "../controller.ts";
import { createKeyController, type KeyQueue } from "../key-controller.ts";
import { OwnWrites } from "../own-writes.ts";
import { OnceEach } from "../serviceselector/reconcile.ts";
import { addFinalizer, removeFinalizer, writeIngress, type ServiceWriter } from "./finalize.ts";
import { createPoolProvider } from "./pool.ts";
import type { LoadBalancerProvider } from "./provider.ts";
import { targetNodes, workFor } from "./reconcile.ts";

export const loadBalancerController: ControllerEntry = {
  name: "loadbalancer",
  create: (context) => {
    const { loadBalancer } = context.options;
    return createLoadBalancerController(context, loadBalancer === undefined ? [] : [createPoolProvider(loadBalancer)]);
  },
};

/** `providers`: no two for one class. */
export function createLoadBalancerController(context: ControllerContext, providers: readonly LoadBalancerProvider[]): Component {
  if (providers.length === 0) return { name: "loadbalancer", start: async () => {}, stop: async () => {}, ready: () => isReady };
  const informer = context.informers.informer(services);
  const nodeInformer = context.informers.informer(nodes);
  const recorder = context.recorder("service-controller");
  const writer: ServiceWriter = { client: context.client, own: new OwnWrites(informer, context.clock) };
  const byClass = new Map(providers.flatMap((provider) => provider.classes.map((name) => [name, provider] as const)));
  const classes = new Set(byClass.keys());
  /** Services for which a provider may hold something. */
  const owned = new Set<string>();
  const told = new OnceEach();
  let adopted = false;
  let targetsBefore: string | undefined;

  async function reconcile(key: string, queue: KeyQueue): Promise<void> {
    adoptOnce();
    const { namespace, name } = splitKey(key);
    const service = writer.own.get(namespace, name);
    if (service === undefined) await letGo(key);
    else await sync(key, service);
    for (const provider of providers) for (const waiting of provider.takeReleased()) queue.add(waiting);
  }

  async function sync(key: string, service: Service): Promise<void> {
    const work = workFor(service, classes);
    switch (work.kind) {
      case "ignore":
        return await letGo(key);
      case "cleanup":
        return await cleanUp(key, service);
      case "ensure":
        return await ensure(
          work.addFinalizer ? await addFinalizer(writer, service) : service,
          byClass.get(work.className) as LoadBalancerProvider,
        );
    }
  }

  async function ensure(service: Service, provider: LoadBalancerProvider): Promise<void> {
    const key = objectKey(service);
    owned.add(key);
    try {
      const result = await provider.ensure(service, targetNodes(nodeInformer.lister.list()));
      const problem = result.kind === "pending" ? `No load balancer: ${result.message}` : undefined;
      if (told.isNews(key, problem)) recorder.event(service, "Warning", "SyncLoadBalancerFailed", problem as string);
      if (result.kind === "pending") await writeIngress(writer, service, []);
      else {
        const places = result.ingress.map(({ ip, hostname }) => ip ?? hostname).join(", ");
        if (await writeIngress(writer, service, result.ingress))
          recorder.event(service, "Normal", "EnsuredLoadBalancer", `Ensured load balancer: ${places}`);
      }
    } catch (error) {
      // Somebody else wrote first: that is how things go.
      if (!isConflict(error) && !isNotFound(error))
        recorder.event(service, "Warning", "SyncLoadBalancerFailed", `Error syncing load balancer: ${errorMessage(error)}`);
      throw error;
    }
  }

  /** The API server has cleared the status of one that changed its type; one that is going keeps it to the end. */
  async function cleanUp(key: string, service: Service): Promise<void> {
    await takeDown(key);
    await removeFinalizer(writer, service);
    recorder.event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer");
  }

  async function letGo(key: string): Promise<void> {
    if (owned.has(key)) await takeDown(key);
  }

  async function takeDown(key: string): Promise<void> {
    for (const provider of providers) await provider.delete(key);
    owned.delete(key);
    told.forget(key);
  }

  /** The first Service that is looked at must not get the address of one that comes later. */
  function adoptOnce(): void {
    if (adopted) return;
    adopted = true;
    const mine = (provider: LoadBalancerProvider) => (service: Service) => {
      const work = workFor(service, classes);
      return work.kind === "ensure" && byClass.get(work.className) === provider;
    };
    const oldestFirst = [...informer.lister.list()].sort(byAge);
    for (const provider of providers) provider.adopt(oldestFirst.filter(mine(provider)));
    for (const service of oldestFirst) if (workFor(service, classes).kind === "ensure") owned.add(objectKey(service));
  }

  async function updateAll(): Promise<void> {
    const targets = targetNodes(nodeInformer.lister.list());
    if (targets.join() === targetsBefore) return;
    targetsBefore = targets.join();
    for (const service of informer.lister.list()) {
      const work = workFor(service, classes);
      if (work.kind === "ensure") await byClass.get(work.className)?.update?.(service, targets);
    }
  }

  const caresForNodes = providers.some(({ update }) => update !== undefined);
  return createKeyController({
    name: "loadbalancer",
    context,
    informers: [informer, nodeInformer],
    follow: () => [writer.own.follow()],
    watch: (queue) => {
      const enqueue = (service: Service) => queue.add(objectKey(service));
      const nodesChanged = () => queue.add(nodesKey);
      return [
        informer.addHandlers({ added: enqueue, updated: enqueue, deleted: enqueue }),
        ...(caresForNodes ? [nodeInformer.addHandlers({ added: nodesChanged, updated: nodesChanged, deleted: nodesChanged })] : []),
      ];
    },
    reconcile: (key, queue) => (key === nodesKey ? updateAll() : reconcile(key, queue)),
    // One at a time: what one Service releases the next may take, in the order in which they came.
    workers: 1,
  });
}

/** No Service has this key: there is no namespace in it. */
const nodesKey = "nodes";

function byAge(a: Service, b: Service): number {
  const [first, second] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp ?? ""} ${objectKey({ metadata })}`) as [
    string,
    string,
  ];
  return first < second ? -1 : 1;
}
