/** The informers of a program: one list and watch per resource, whoever asks. */
import type { KubeObject } from "../api/object.ts";
import { groupResource, type Resource } from "../api/resources.ts";
import type { Clock } from "../lib/clock.ts";
import { silentLogger, type Logger } from "../lib/log.ts";
import type { Client } from "./client.ts";
import { InformerImpl } from "./informer-impl.ts";
import type { Informer, InformerFactory } from "./informer.ts";
import { Reflector, type Selectors } from "./reflector.ts";

export interface InformerFactoryOptions {
  readonly clock: Clock;
  readonly log?: Logger;
  /** Only objects of this namespace; resources without namespaces are seen whole. */
  readonly namespace?: string;
  /** Only what is selected is seen; by the resource's plural. Default: everything. */
  readonly selectors?: Readonly<Record<string, Selectors>>;
  /** In [0, 1). Default: Math.random. */
  readonly random?: () => number;
  /** Objects a page of the first list. Default 500, as client-go. */
  readonly pageSize?: number;
  /** Gets the first state as events of the watch where the server can (KEP-3157). Default: list, then watch. */
  readonly watchList?: boolean;
  /**
   * What is kept and told of each object in its place (client-go's SetTransform): less of it, where memory counts. Names and
   * `resourceVersion` must stay. Default: all of it.
   */
  readonly transform?: <T extends KubeObject>(object: T, resource: Resource<T>) => T;
}

export function createInformerFactory(client: Client, options: InformerFactoryOptions): InformerFactory {
  return new Factory(client, options);
}

interface Member {
  readonly informer: InformerImpl<KubeObject>;
  readonly reflector: Reflector<KubeObject>;
}

class Factory implements InformerFactory {
  readonly #client: Client;
  readonly #options: InformerFactoryOptions;
  readonly #members = new Map<string, Member>();
  #state: "new" | "started" | "stopped" = "new";

  constructor(client: Client, options: InformerFactoryOptions) {
    this.#client = client;
    this.#options = options;
  }

  informer<T extends KubeObject>(resource: Resource<T>): Informer<T> {
    const name = `${groupResource(resource)}/${resource.version}`;
    let member = this.#members.get(name);
    if (member === undefined) {
      member = this.#make(resource);
      this.#members.set(name, member);
      if (this.#state === "started") member.reflector.start();
    }
    return member.informer as unknown as Informer<T>;
  }

  #make(resource: Resource): Member {
    const { clock, random = Math.random, pageSize = 500, watchList = false, transform, selectors = {} } = this.#options;
    const log = (this.#options.log ?? silentLogger).child("reflector");
    const informer = new InformerImpl(resource, log);
    const namespace = resource.namespaced ? this.#options.namespace : undefined;
    const reflector = new Reflector({
      client: this.#client,
      resource,
      namespace,
      selectors: selectors[resource.plural],
      store: informer,
      clock,
      log,
      random,
      pageSize,
      watchList,
      ...(transform === undefined ? {} : { transform: (object: KubeObject) => transform(object, resource) }),
    });
    return { informer, reflector };
  }

  start(): void {
    if (this.#state !== "new") return;
    this.#state = "started";
    for (const { reflector } of this.#members.values()) reflector.start();
  }

  async waitForSync(signal?: AbortSignal): Promise<void> {
    await Promise.all([...this.#members.values()].map(({ informer }) => informer.waitForSync(signal)));
  }

  async stop(): Promise<void> {
    this.#state = "stopped";
    await Promise.all([...this.#members.values()].map(({ reflector }) => reflector.stop()));
  }
}
