/** Carries a Service's load balancer from what it is to what it should be, with the provider of its class. */
import { objectKey, splitKey } from "../../api/object.ts";
import { isConflict, isNotFound } from "../../api/status.ts";
import type { Node, Service } from "../../api/types.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import type { Lister } from "../../client/informer.ts";
import { errorMessage } from "../../lib/errors.ts";
import { OnceEach } from "../serviceselector/reconcile.ts";
import { addFinalizer, removeFinalizer, writeIngress, type ServiceWriter } from "./finalize.ts";
import type { Ensured, LoadBalancerProvider } from "./provider.ts";
import { targetNodes, workFor } from "./reconcile.ts";

export interface LoadBalancerWorkOptions {
  /** No two for one class. */
  readonly providers: readonly LoadBalancerProvider[];
  readonly services: Pick<Lister<Service>, "list">;
  readonly nodes: Pick<Lister<Node>, "list">;
  readonly writer: ServiceWriter;
  readonly recorder: EventRecorder;
}

export class LoadBalancerWork {
  readonly #options: LoadBalancerWorkOptions;
  readonly #byClass: ReadonlyMap<string, LoadBalancerProvider>;
  readonly #classes: ReadonlySet<string>;
  /** Services for which a provider may hold something. */
  readonly #owned = new Set<string>();
  readonly #told = new OnceEach();
  #adopted = false;
  #targetsBefore: string | undefined;

  constructor(options: LoadBalancerWorkOptions) {
    this.#options = options;
    this.#byClass = new Map(options.providers.flatMap((provider) => provider.classes.map((name) => [name, provider] as const)));
    this.#classes = new Set(this.#byClass.keys());
  }

  /** Gives the keys of Services that waited for what this one gave up. Throws when it should be tried again. */
  async sync(key: string): Promise<readonly string[]> {
    this.#adoptOnce();
    const { namespace, name } = splitKey(key);
    const service = this.#options.writer.own.get(namespace, name);
    if (service === undefined) await this.#letGo(key);
    else await this.#syncService(key, service);
    return this.#options.providers.flatMap((provider) => provider.takeReleased());
  }

  /** Nodes came or went: tells the providers that care. */
  async nodesChanged(): Promise<void> {
    const targets = this.#targets();
    if (targets.join() === this.#targetsBefore) return;
    this.#targetsBefore = targets.join();
    for (const service of this.#options.services.list()) await this.#providerOf(service)?.update?.(service, targets);
  }

  async #syncService(key: string, service: Service): Promise<void> {
    const work = workFor(service, this.#classes);
    switch (work.kind) {
      case "ignore":
        return await this.#letGo(key);
      case "cleanup":
        return await this.#cleanUp(key, service);
      case "ensure": {
        const marked = work.addFinalizer ? await addFinalizer(this.#options.writer, service) : service;
        return await this.#ensure(key, marked, this.#byClass.get(work.className) as LoadBalancerProvider);
      }
    }
  }

  async #ensure(key: string, service: Service, provider: LoadBalancerProvider): Promise<void> {
    this.#owned.add(key);
    try {
      await this.#publish(key, service, await provider.ensure(service, this.#targets()));
    } catch (error) {
      // Somebody else wrote first: that is how things go.
      if (!isConflict(error) && !isNotFound(error)) this.#warn(service, `Error syncing load balancer: ${errorMessage(error)}`);
      throw error;
    }
  }

  async #publish(key: string, service: Service, result: Ensured): Promise<void> {
    const { writer, recorder } = this.#options;
    const problem = result.kind === "pending" ? `No load balancer: ${result.message}` : undefined;
    if (this.#told.isNews(key, problem)) this.#warn(service, problem as string);
    const ingress = result.kind === "ready" ? result.ingress : [];
    const changed = await writeIngress(writer, service, ingress);
    const places = ingress.map(({ ip, hostname }) => ip ?? hostname).join(", ");
    if (changed && places !== "") recorder.event(service, "Normal", "EnsuredLoadBalancer", `Ensured load balancer: ${places}`);
  }

  #warn(service: Service, message: string): void {
    this.#options.recorder.event(service, "Warning", "SyncLoadBalancerFailed", message);
  }

  /** The API server has cleared the status of one that changed its type; one that is going keeps it to the end. */
  async #cleanUp(key: string, service: Service): Promise<void> {
    await this.#takeDown(key);
    await removeFinalizer(this.#options.writer, service);
    this.#options.recorder.event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer");
  }

  async #letGo(key: string): Promise<void> {
    if (this.#owned.has(key)) await this.#takeDown(key);
  }

  async #takeDown(key: string): Promise<void> {
    for (const provider of this.#options.providers) await provider.delete(key);
    this.#owned.delete(key);
    this.#told.forget(key);
  }

  /** The first Service that is looked at must not get the address of one that comes later. */
  #adoptOnce(): void {
    if (this.#adopted) return;
    this.#adopted = true;
    const mine = [...this.#options.services.list()].filter((service) => this.#providerOf(service) !== undefined).sort(byAge);
    for (const provider of this.#options.providers) provider.adopt(mine.filter((service) => this.#providerOf(service) === provider));
    for (const service of mine) this.#owned.add(objectKey(service));
  }

  #providerOf(service: Service): LoadBalancerProvider | undefined {
    const work = workFor(service, this.#classes);
    return work.kind === "ensure" ? this.#byClass.get(work.className) : undefined;
  }

  #targets(): readonly string[] {
    return targetNodes(this.#options.nodes.list());
  }
}

function byAge(a: Service, b: Service): number {
  const [first, second] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp ?? ""} ${objectKey({ metadata })}`) as [
    string,
    string,
  ];
  return first < second ? -1 : 1;
}
