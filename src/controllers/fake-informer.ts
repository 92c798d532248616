/** An informer whose events a test gives by hand: what the server has and what the informer shows are two things. */
import { keyOf, objectKey, type KubeObject } from "../api/object.ts";
import type { Resource } from "../api/resources.ts";
import type { EventHandlers, Informer, Lister } from "../client/informer.ts";

export class FakeInformer<T extends KubeObject> implements Informer<T> {
  readonly resource: Resource<T>;
  readonly synced = true;
  readonly #objects = new Map<string, T>();
  readonly #handlers = new Set<EventHandlers<T>>();
  readonly #indexes = new Map<string, (object: T) => readonly string[]>();

  constructor(resource: Resource<T>) {
    this.resource = resource;
  }

  readonly lister: Lister<T> = {
    get: (namespace, name) => this.#objects.get(keyOf(namespace, name)),
    getByKey: (key) => this.#objects.get(key),
    list: (namespace) => [...this.#objects.values()].filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace),
    byIndex: (index, value) => [...this.#objects.values()].filter((object) => this.#indexes.get(index)?.(object).includes(value)),
  };

  addIndex(name: string, values: (object: T) => readonly string[]): void {
    this.#indexes.set(name, values);
  }

  addHandlers(handlers: EventHandlers<T>): () => void {
    this.#handlers.add(handlers);
    for (const object of this.#objects.values()) handlers.added?.(object, true);
    return () => this.#handlers.delete(handlers);
  }

  async waitForSync(): Promise<void> {
    // What there is is there from the beginning.
  }

  /** The watch shows this version. */
  show(object: T): void {
    const old = this.#objects.get(objectKey(object));
    this.#objects.set(objectKey(object), object);
    for (const { added, updated } of this.#handlers) {
      if (old === undefined) added?.(object, false);
      else updated?.(object, old);
    }
  }

  /** The watch shows that it is gone. */
  remove(object: T): void {
    this.#objects.delete(objectKey(object));
    for (const handlers of this.#handlers) handlers.deleted?.(object);
  }
}
