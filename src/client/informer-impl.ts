/** One resource's informer: an indexer that a reflector fills, and the handlers that are told. */
import { objectKey, type KubeObject } from "../api/object.ts";
import type { Resource } from "../api/resources.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { Indexer } from "./indexer.ts";
import type { EventHandlers, Informer, Lister } from "./informer.ts";
import type { ReflectorStore } from "./reflector.ts";

export class InformerImpl<T extends KubeObject> implements Informer<T>, ReflectorStore<T> {
  readonly resource: Resource<T>;
  readonly #indexer = new Indexer<T>();
  readonly #handlers = new Set<EventHandlers<T>>();
  readonly #firstList = Promise.withResolvers<void>();
  readonly #log: Logger;
  #synced = false;

  constructor(resource: Resource<T>, log: Logger) {
    this.resource = resource;
    this.#log = log;
  }

  get lister(): Lister<T> {
    return this.#indexer;
  }

  get synced(): boolean {
    return this.#synced;
  }

  addIndex(name: string, values: (object: T) => readonly string[]): void {
    this.#indexer.addIndex(name, values);
  }

  addHandlers(handlers: EventHandlers<T>): () => void {
    this.#handlers.add(handlers);
    for (const object of this.#indexer.list()) this.#guard(() => handlers.added?.(object, true));
    return () => void this.#handlers.delete(handlers);
  }

  async waitForSync(signal?: AbortSignal): Promise<void> {
    if (this.#synced) return;
    if (signal === undefined) return this.#firstList.promise;
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([this.#firstList.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  replace(objects: readonly T[]): void {
    const gone = new Set(this.#indexer.keys());
    const changes = objects.map((object) => {
      gone.delete(objectKey(object));
      return { object, old: this.#indexer.put(object) };
    });
    const removed = [...gone].flatMap((key) => this.#indexer.remove(key) ?? []);
    const initial = !this.#synced;
    for (const { object, old } of changes) this.#tell(object, old, initial);
    for (const object of removed) this.#each((handlers) => handlers.deleted?.(object));
    this.#synced = true;
    this.#firstList.resolve();
  }

  put(object: T): void {
    this.#tell(object, this.#indexer.put(object), false);
  }

  remove(object: T): void {
    if (this.#indexer.remove(objectKey(object)) !== undefined) this.#each((handlers) => handlers.deleted?.(object));
  }

  #tell(object: T, old: T | undefined, initial: boolean): void {
    if (old === undefined) this.#each((handlers) => handlers.added?.(object, initial));
    else if (old.metadata.resourceVersion !== object.metadata.resourceVersion) this.#each((handlers) => handlers.updated?.(object, old));
  }

  #each(run: (handlers: EventHandlers<T>) => void): void {
    for (const handlers of this.#handlers) this.#guard(() => run(handlers));
  }

  /** A handler that fails must not keep the others from being told. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#log.error("a handler failed", { resource: this.resource.plural, error: errorMessage(error) });
    }
  }
}
