/**
 * Where objects live: a revisioned key-value store in the manner of etcd. Its contract, shared by every
 * implementation and held by `backend.cases.ts`:
 *
 * - One revision counter for the whole store; it only grows, also over restarts. Every committed write has its own;
 *   there may be gaps.
 * - `write` resolves after the write is durable, and after every subscriber was told: an acknowledged write survives
 *   kill -9 and is in every cache that is fed by `subscribe`.
 * - Writes are optimistic: `expect` is the revision that the key must have now (0: the key must not exist). A conflict
 *   is a value, given when the write that won is settled: whoever reads a cache then finds what to try again with.
 * - Subscribers see every write once, in the order of revisions.
 *
 * Not in it: reads after `open`, lists by prefix, history and watch windows. The watch cache holds all objects and
 * answers reads, so a backend keeps of each key its revision in memory and no value.
 */

/** The revision of an empty store: 0 means "any" in a `resourceVersion`, so no list may have it. */
export const firstRevision = 1;

export interface Entry {
  /** `/registry/services/default/web` */
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
}

export interface WriteRequest {
  readonly key: string;
  /** null deletes. Not to be changed afterwards. */
  readonly value: Uint8Array | null;
  readonly expect: number;
}

export type WriteResult =
  | { readonly kind: "ok"; readonly revision: number }
  /** `revision` is what the key has; 0: it does not exist. */
  | { readonly kind: "conflict"; readonly revision: number };

export interface StoreEvent {
  readonly key: string;
  /** null: deleted. */
  readonly value: Uint8Array | null;
  readonly createRevision: number;
  readonly revision: number;
}

export interface Snapshot {
  readonly revision: number;
  /** In no particular order. */
  readonly entries: readonly Entry[];
}

export interface Backend {
  /** `sqlite`, `memory` */
  readonly name: string;
  /** Opens the store and reads all of it. Once, before anything else. Throws `FL_STORAGE*`. */
  open(): Promise<Snapshot>;
  /** Told of every write from the next one on. Call it between `open` and the first write. A listener must not throw. */
  subscribe(listener: (events: readonly StoreEvent[]) => void): () => void;
  /** Throws `FL_STORAGE` when the store cannot write (disk full): nothing was written. */
  write(request: WriteRequest): Promise<WriteResult>;
  /** Waits for what is under way and gives everything back; later writes throw. Idempotent. */
  close(): Promise<void>;
}
