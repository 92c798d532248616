/** A store that lives as long as its process: for `--ephemeral`, and for tests. */
import { FairleadError } from "../../lib/errors.ts";
import { firstRevision, type Backend, type Entry, type StoreEvent, type WriteRequest, type WriteResult } from "../backend.ts";
import { Heads } from "../heads.ts";

export interface MemoryBackendOptions {
  /** What is in it from the start. */
  readonly entries?: readonly Entry[];
  /** Of the last write before. Default: the newest revision of `entries`. */
  readonly revision?: number;
}

export function createMemoryBackend(options: MemoryBackendOptions = {}): Backend {
  const heads = new Heads();
  const listeners = new Set<(events: readonly StoreEvent[]) => void>();
  let closed = false;
  return {
    name: "memory",
    async open() {
      const entries = options.entries ?? [];
      const snapshot = { revision: options.revision ?? newestOf(entries), entries };
      heads.load(entries);
      heads.begin(snapshot.revision);
      return snapshot;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async write(request: WriteRequest): Promise<WriteResult> {
      if (closed) throw new FairleadError("FL_STORAGE", "the store is closed");
      const admission = heads.admit(request);
      if (admission.kind === "conflict") return { kind: "conflict", revision: heads.committed(request.key) };
      heads.commit(admission);
      const { revision, createRevision } = admission;
      for (const listener of listeners) listener([{ key: request.key, value: request.value, createRevision, revision }]);
      return { kind: "ok", revision };
    },
    async close() {
      closed = true;
    },
  };
}

function newestOf(entries: readonly Entry[]): number {
  return entries.reduce((newest, entry) => Math.max(newest, entry.modRevision), firstRevision);
}
