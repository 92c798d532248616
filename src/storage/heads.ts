/**
 * The newest revision of every key, writes under way included: what decides conflicts at the moment of asking, before
 * any I/O. At most one write per key is under way, since a writer must name the revision that the last one was given.
 */
import type { Entry, WriteRequest } from "./backend.ts";

interface Head {
  /** 0: the key does not exist (a delete is under way, or a create). */
  readonly committed: number;
  readonly createRevision: number;
  readonly pending?: Pending;
}

interface Pending {
  readonly revision: number;
  readonly settled: Promise<void>;
  readonly settle: () => void;
}

/** A write that was let through; its owner must `commit` or `abandon` it. */
export interface Admitted {
  readonly kind: "admitted";
  readonly request: WriteRequest;
  readonly revision: number;
  readonly createRevision: number;
}

export type Admission = Admitted | { readonly kind: "conflict"; readonly settled: Promise<void> | undefined };

export class Heads {
  readonly #heads = new Map<string, Head>();
  #revision = 0;

  /** Part of what is stored; `begin` ends it. */
  load(entries: readonly Entry[]): void {
    for (const { key, modRevision, createRevision } of entries) this.#heads.set(key, { committed: modRevision, createRevision });
  }

  /** From the revision of the last write on. */
  begin(revision: number): void {
    this.#revision = revision;
  }

  /** How many keys there are, those with a write under way included. */
  get size(): number {
    return this.#heads.size;
  }

  /** What the key has, by what is committed. */
  committed(key: string): number {
    return this.#heads.get(key)?.committed ?? 0;
  }

  /** Gives the write its revision, or names what it lost to (`settled` when that is still under way). */
  admit(request: WriteRequest): Admission {
    const head = this.#heads.get(request.key);
    if (head?.pending !== undefined) return { kind: "conflict", settled: head.pending.settled };
    const committed = head?.committed ?? 0;
    if (committed !== request.expect || (committed === 0 && request.value === null)) return { kind: "conflict", settled: undefined };
    const revision = ++this.#revision;
    const createRevision = head === undefined ? revision : head.createRevision;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#heads.set(request.key, { committed, createRevision, pending: { revision, settled: promise, settle: resolve } });
    return { kind: "admitted", request, revision, createRevision };
  }

  commit(write: Admitted): void {
    const { key, value } = write.request;
    const pending = this.#heads.get(key)?.pending;
    if (value === null) this.#heads.delete(key);
    else this.#heads.set(key, { committed: write.revision, createRevision: write.createRevision });
    pending?.settle();
  }

  /** The write failed: the key is as before. Its revision is never used again. */
  abandon(write: Admitted): void {
    const { key } = write.request;
    const head = this.#heads.get(key);
    if (head === undefined) return;
    if (head.committed === 0) this.#heads.delete(key);
    else this.#heads.set(key, { committed: head.committed, createRevision: head.createRevision });
    head.pending?.settle();
  }
}
