/**
 * All objects in memory, fed by the storage backend: what makes `Store` of a `Backend`. Every read of the API server is
 * answered from here.
 */
import type { KubeObject } from "../api/object.ts";
import { apiVersionOf, groupResource, type Resource } from "../api/resources.ts";
import { realClock, type Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import { silentLogger, type Logger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import type { Backend, Entry, StoreEvent } from "../storage/backend.ts";
import { longWork } from "./long-work.ts";
import type { ResourceStore, Store, StoreWriteResult } from "./store.ts";
import { bookmarkEvent } from "./watch-cache-events.ts";
import { encodeValue, LastVersion, StoredVersion } from "./watch-cache-object.ts";
import { ResourceCache } from "./watch-cache-resource.ts";

export interface StoreOptions {
  readonly backend: Backend;
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly metrics?: MetricsRegistry;
  /**
   * How much of the past each resource keeps, for watches that resume and pages that go on. Default: 10,000 events, 8 MiB of old
   * versions. (Upstream: up to 102,400 events for watches, and for pages the five minutes between etcd's compactions.)
   */
  readonly window?: { readonly events: number; readonly bytes: number };
  /** How many events may wait for one watcher before it is cut off. Default: 10,000. */
  readonly watchQueue?: number;
}

type Handle = Pick<Resource, "group" | "plural" | "version" | "kind">;

const root = "/registry/";

export function createStore(options: StoreOptions): Store {
  return new WatchCache(options);
}

class WatchCache implements Store {
  readonly #backend: Backend;
  readonly #options: StoreOptions;
  /** `deployments.apps` → its cache. */
  readonly #caches = new Map<string, ResourceCache>();
  problem: string | undefined;
  #opening: Promise<void> | undefined;
  #revision = 0;
  /** The revision at `open`: what was before is not known. */
  #floor = 0;

  constructor(options: StoreOptions) {
    this.#backend = options.backend;
    this.#options = options;
    options.metrics?.gauge("apiserver_storage_objects", "Number of stored objects, by resource.", ["resource"], () => this.#countObjects());
  }

  get revision(): number {
    return this.#revision;
  }

  open(): Promise<void> {
    return (this.#opening ??= this.#open());
  }

  async #open(): Promise<void> {
    const snapshot = await this.#backend.open();
    this.#revision = this.#floor = snapshot.revision;
    await this.#load(snapshot.entries);
    this.#backend.subscribe((events) => {
      for (const event of events) this.#apply(event);
    });
  }

  async #load(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      const { resource, key } = splitStorageKey(entry.key);
      this.#cache(resource).index.put(new StoredVersion(key, entry.value, entry.createRevision, entry.modRevision));
      if (longWork.isOver) await longWork.next();
    }
  }

  #apply(event: StoreEvent): void {
    const { resource, key } = splitStorageKey(event.key);
    const current = event.value === null ? undefined : new StoredVersion(key, event.value, event.createRevision, event.revision);
    this.#revision = event.revision;
    this.#cache(resource).apply(key, event.revision, current);
  }

  #cache(name: string): ResourceCache {
    if (this.#floor === 0) throw new Error("the store is used before it is open");
    let cache = this.#caches.get(name);
    if (cache === undefined) {
      cache = new ResourceCache({
        name,
        clock: this.#options.clock ?? realClock,
        log: this.#options.log ?? silentLogger,
        floor: this.#floor,
        window: this.#options.window ?? { events: 10_000, bytes: 8 << 20 },
        watchQueue: this.#options.watchQueue ?? 10_000,
        revision: () => this.#revision,
        slowWatchers: this.#slowWatchers(name),
      });
      this.#caches.set(name, cache);
    }
    return cache;
  }

  #slowWatchers(resource: string) {
    const metrics = this.#options.metrics ?? new MetricsRegistry();
    const help = "Watches ended because their clients did not keep up, by resource.";
    return metrics.counter("apiserver_terminated_watchers_total", help, ["resource"]).labels(resource);
  }

  #countObjects(): void {
    const gauge = this.#options.metrics?.gauge("apiserver_storage_objects", "Number of stored objects, by resource.", ["resource"]);
    for (const [name, cache] of this.#caches) gauge?.labels(name).set(cache.index.size);
  }

  resource(handle: Handle): ResourceStore {
    const name = groupResource(handle);
    const type = { apiVersion: apiVersionOf(handle), kind: handle.kind };
    // Looked up anew each time, so that a handle may be taken before `open`.
    const cache = () => this.#cache(name);
    return {
      get: (key) => cache().index.get(key),
      items: (namespace) => cache().index.range(namespace),
      get changed() {
        return cache().changed;
      },
      list: async (options = {}) => cache().list(options),
      get count() {
        return cache().index.size;
      },
      watch: (options = {}) => cache().watch(options, (revision, initialEventsEnd) => bookmarkEvent(type, revision, initialEventsEnd)),
      write: async (key, object, expect) => this.#write(cache(), name, key, object, expect),
    };
  }

  async #write(cache: ResourceCache, resource: string, key: string, object: KubeObject | null, expect: number): Promise<StoreWriteResult> {
    const before = cache.index.get(key);
    const value = object === null ? null : encodeValue(object);
    const result = await this.#tried(this.#backend.write({ key: `${root}${resource}/${key}`, value, expect }));
    const now = cache.index.get(key);
    if (result.kind === "conflict") return { kind: "conflict", current: now };
    if (value === null) return { kind: "ok", object: new LastVersion(before as StoredVersion, result.revision) };
    // Somebody else may have written it again since.
    const mine =
      now?.revision === result.revision ? now : new StoredVersion(key, value, before?.createRevision ?? result.revision, result.revision);
    return { kind: "ok", object: mine };
  }

  async #tried<T>(write: Promise<T>): Promise<T> {
    try {
      const result = await write;
      this.problem = undefined;
      return result;
    } catch (error) {
      this.problem = errorMessage(error);
      throw error;
    }
  }

  snapshot(): { readonly revision: number; readonly entries: Iterable<Entry> } {
    const all = [...this.#caches].map(([resource, cache]) => [resource, cache.index.range(undefined)] as const);
    return { revision: this.#revision, entries: storedEntries(all) };
  }

  async close(): Promise<void> {
    for (const cache of this.#caches.values()) cache.endWatches();
    await this.#backend.close();
  }
}

function* storedEntries(all: readonly (readonly [string, readonly StoredVersion[]])[]): Generator<Entry> {
  for (const [resource, versions] of all)
    for (const version of versions) {
      const { key, createRevision, revision: modRevision } = version;
      yield { key: `${root}${resource}/${key}`, createRevision, modRevision, value: version.value() };
    }
}

function splitStorageKey(storageKey: string): { readonly resource: string; readonly key: string } {
  const slash = storageKey.indexOf("/", root.length);
  return { resource: storageKey.slice(root.length, slash), key: storageKey.slice(slash + 1) };
}
