/**
 * The informers of one node among many in the same process: each change of a pod or a Node reaches the node that it concerns and no
 * other. With 500 kubelets at the shared informers every change would be looked at 500 times.
 */
import type { KubeObject } from "../api/object.ts";
import { nodes, pods, type Resource } from "../api/resources.ts";
import type { EventHandlers, Informer, InformerFactory } from "../client/informer.ts";

/** `of` gives a factory for each node; the shared one is started and stopped by whoever owns it. */
export interface NodeInformers {
  of(nodeName: string): InformerFactory;
}

export function createNodeInformers(informers: InformerFactory): NodeInformers {
  const byNode = new Map<string, Fanout<KubeObject>>([
    [pods.plural, new Fanout(informers.informer(pods), ({ spec }) => spec?.nodeName ?? "") as unknown as Fanout<KubeObject>],
    [nodes.plural, new Fanout(informers.informer(nodes), ({ metadata }) => metadata.name ?? "") as unknown as Fanout<KubeObject>],
  ]);
  return {
    of: (nodeName) => ({
      informer<T extends KubeObject>(resource: Resource<T>): Informer<T> {
        const fanout = resource.group === "" ? byNode.get(resource.plural) : undefined;
        const shared = informers.informer(resource);
        return fanout === undefined
          ? shared
          : only(shared, (handlers) => fanout.add(nodeName, handlers as unknown as EventHandlers<KubeObject>));
      },
      start: () => undefined,
      waitForSync: (signal) => informers.waitForSync(signal),
      stop: () => Promise.resolve(),
    }),
  };
}

/** The same informer with other handlers. */
function only<T extends KubeObject>(shared: Informer<T>, addHandlers: Informer<T>["addHandlers"]): Informer<T> {
  return {
    resource: shared.resource,
    lister: shared.lister,
    addIndex: (name, values) => shared.addIndex(name, values),
    addHandlers,
    get synced() {
      return shared.synced;
    },
    waitForSync: (signal) => shared.waitForSync(signal),
  };
}

class Fanout<T extends KubeObject> {
  readonly #informer: Informer<T>;
  readonly #nodeOf: (object: T) => string;
  /** node → its handlers */
  readonly #handlers = new Map<string, Set<EventHandlers<T>>>();

  constructor(informer: Informer<T>, nodeOf: (object: T) => string) {
    this.#informer = informer;
    this.#nodeOf = nodeOf;
    informer.addHandlers({
      added: (object, initial) => this.#each(object, ({ added }) => added?.(object, initial)),
      // A pod that is bound was nobody's before: for its node it is new, and kubelets take both alike.
      updated: (object, old) => this.#each(object, ({ updated }) => updated?.(object, old)),
      deleted: (object) => this.#each(object, ({ deleted }) => deleted?.(object)),
    });
  }

  add(node: string, handlers: EventHandlers<T>): () => void {
    const own = this.#handlers.get(node) ?? new Set();
    this.#handlers.set(node, own.add(handlers));
    if (handlers.added !== undefined) {
      for (const object of this.#informer.lister.list()) if (this.#nodeOf(object) === node) handlers.added(object, true);
    }
    return () => own.delete(handlers);
  }

  #each(object: T, call: (handlers: EventHandlers<T>) => void): void {
    for (const handlers of this.#handlers.get(this.#nodeOf(object)) ?? []) call(handlers);
  }
}
