/**
 * What the registry builds on: all objects of all resources, read from memory and written through a storage `Backend`.
 * The contract:
 *
 * - Reads never touch storage. Each object is held once, as the bytes that go out, and parsed when somebody asks.
 * - A write is durable and visible to every read and watch of this store when `write` resolves.
 * - One revision counter for all resources; an object's `metadata.resourceVersion` is the revision of its last write.
 *
 * Not in it: defaults, validation, admission, selectors. `createStore` in `watch-cache.ts` makes one.
 */
import type { KubeObject } from "../api/object.ts";
import type { WatchStream } from "../api/request.ts";
import type { Resource } from "../api/resources.ts";
import type { Entry } from "../storage/backend.ts";

/** One version of one object; immutable. */
export interface CachedObject {
  /** `namespace/name`, or `name` of a cluster-scoped object: see `keyOf` in api/object.ts. */
  readonly key: string;
  /** The revision that wrote this version: its `metadata.resourceVersion`. */
  readonly revision: number;
  readonly createRevision: number;
  /** Frozen, with `resourceVersion`; shared by everyone who holds it. */
  object(): KubeObject;
  /** The same as JSON. Shared: not to be changed. */
  bytes(): Buffer;
}

export interface StoreListOptions {
  readonly namespace?: string | undefined;
  /** At most so many matching objects; 0 or absent: all. */
  readonly limit?: number | undefined;
  /** The token of an earlier answer; the list goes on as of that answer's revision. */
  readonly continue?: string | undefined;
  /** The list as it was at this very revision (`resourceVersionMatch=Exact`). */
  readonly exactRevision?: number | undefined;
  /** Refuse when the store is not that far yet (`resourceVersion=N`, `NotOlderThan`). */
  readonly minimumRevision?: number | undefined;
  readonly match?: ((object: KubeObject) => boolean) | undefined;
}

export interface StoreList {
  /** In the order of keys. */
  readonly items: readonly CachedObject[];
  readonly revision: number;
  /** There is more. */
  readonly continue?: string;
  /** How many more; absent with `match`, as upstream. */
  readonly remaining?: number;
}

export interface StoreWatchOptions {
  readonly namespace?: string | undefined;
  /** Only this object. */
  readonly key?: string | undefined;
  /** Events after this revision; absent or 0: from now on. */
  readonly after?: number | undefined;
  /** First an ADDED for each object that is there. */
  readonly sendInitial?: boolean | undefined;
  /** With `sendInitial`: then a bookmark annotated `k8s.io/initial-events-end: "true"`. */
  readonly initialEventsEnd?: boolean | undefined;
  /** A BOOKMARK about once a minute. */
  readonly bookmarks?: boolean | undefined;
  /** An object that begins to match is ADDED to this watch, one that stops to match DELETED. */
  readonly match?: ((object: KubeObject) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type StoreWriteResult =
  /** After a delete `object` is the last state, with the revision of the delete. */
  { readonly kind: "ok"; readonly object: CachedObject } | { readonly kind: "conflict"; readonly current: CachedObject | undefined };

export interface ResourceStore {
  get(key: string): CachedObject | undefined;
  /** Everything, or a namespace, as of now and in the order of keys: for who must decide at once and keeps what he makes of it. */
  items(namespace?: string): readonly CachedObject[];
  /** The revision of the last change to this resource. */
  readonly changed: number;
  /**
   * Gives way to others during a long filtered list, but the result is of one revision.
   * Throws StatusErrors: 410 Expired for a token or revision out of the window, 400 for a malformed token, 504 for a
   * revision that is yet to come.
   */
  list(options?: StoreListOptions): Promise<StoreList>;
  /** How many objects there are. */
  readonly count: number;
  /**
   * Throws 410 Expired when `after` is older than the window of events kept. A watcher that does not keep up is ended:
   * its client begins again with the last version that it saw.
   */
  watch(options?: StoreWatchOptions): WatchStream;
  /**
   * Writes (`object` null: deletes) if the key's revision is still `expect` (0: the key must not exist). A
   * `resourceVersion` in the object is ignored. Throws FL_STORAGE when storage cannot write: nothing happened then.
   */
  write(key: string, object: KubeObject | null, expect: number): Promise<StoreWriteResult>;
}

export interface Store {
  /** Opens the backend and fills the cache. The same promise each time. Throws FL_STORAGE*. */
  open(): Promise<void>;
  /** Versions of a resource share one store: the key is group and plural. To be used after `open`. */
  resource(resource: Pick<Resource, "group" | "plural" | "version" | "kind">): ResourceStore;
  /** Why the last write failed, if it did: reads go on. */
  readonly problem: string | undefined;
  /** The newest revision applied. */
  readonly revision: number;
  /** Everything as of now, in the form in which it is stored; each value is made when it is asked for. */
  snapshot(): { readonly revision: number; readonly entries: Iterable<Entry> };
  /** Ends all watches, then closes the backend. Idempotent. */
  close(): Promise<void>;
}
