/**
 * The durable store: SQLite in a worker thread. This side decides conflicts and gives out revisions at once; the
 * worker makes writes durable. All writes that wait while a batch is under way go into the next one, so a disk that
 * syncs a thousand times a second takes many thousand writes.
 *
 * A worker that dies is replaced. What became of its batch is no question: the counter in the file is that of the last
 * batch on disk, so a batch is told to be committed or written again, and what was acknowledged is there.
 */
import { Worker } from "node:worker_threads";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import { silentLogger, type Logger } from "../../lib/log.ts";
import type { Backend, Entry, Snapshot, StoreEvent, WriteRequest, WriteResult } from "../backend.ts";
import { Heads, type Admitted } from "../heads.ts";
import { packRows, unpackRows, type FromWorker, type Row, type ToWorker, type WorkerOptions } from "./protocol.ts";

export interface SqliteBackendOptions {
  /** Holds `store.db`, its log and a `pid` file. Made when absent, mode 0700. One process at a time. */
  readonly directory: string;
  /** Writes that would make the file larger than this are refused with FL_STORAGE. Default: as the disk allows. */
  readonly maxBytes?: number;
  readonly log?: Logger;
  /** Makes the thread; a test makes one that it can kill. */
  readonly worker?: (file: URL, options: ConstructorParameters<typeof Worker>[1]) => Worker;
}

/** A batch with which as many workers die is refused: it would kill the next one, too. */
const maxAttempts = 2;
/** So many workers that die in a row, without a commit between them, are a fault that no other worker mends. */
const maxDeaths = 5;

/** Content beyond this waits for the next batch, so that one batch stays short. */
const batchBytes = 4 << 20;
/** The worker's heap: statements and one batch. Values live outside of it. */
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };

export function createSqliteBackend(options: SqliteBackendOptions): Backend {
  return new SqliteBackend(options);
}

interface Waiting {
  readonly write: Admitted;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: FairleadError) => void;
}

class SqliteBackend implements Backend {
  readonly name = "sqlite";
  readonly #options: SqliteBackendOptions;
  readonly #log: Logger;
  readonly #heads = new Heads();
  readonly #listeners = new Set<(events: readonly StoreEvent[]) => void>();
  readonly #opening = Promise.withResolvers<Snapshot>();
  readonly #exited = Promise.withResolvers<void>();
  readonly #entries: Entry[] = [];
  #worker: Worker | undefined;
  #queue: Waiting[] = [];
  #batch: readonly Waiting[] = [];
  #attempts = 0;
  #deaths = 0;
  #flushPlanned = false;
  #opened = false;
  /** The worker answers: false from its death until the next one is open. */
  #serving = false;
  #closing = false;
  /** Why no write can succeed any more. */
  #broken: FairleadError | undefined;

  constructor(options: SqliteBackendOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    // Whoever called `open` sees a refusal; when the worker dies later nobody waits for this promise any more.
    this.#opening.promise.catch(() => undefined);
  }

  open(): Promise<Snapshot> {
    this.#spawn(true);
    return this.#opening.promise;
  }

  #spawn(content: boolean): void {
    const { directory, maxBytes, worker: make = (file, options) => new Worker(file, options) } = this.#options;
    const workerData: WorkerOptions = { directory, content, ...(maxBytes === undefined ? {} : { maxBytes }) };
    const worker = make(workerUrl(), { workerData, resourceLimits, name: "storage" });
    let why = "it ended";
    worker.on("message", (message: FromWorker) => this.#receive(message));
    worker.on("error", (error) => (why = errorMessage(error)));
    worker.on("exit", () => this.#exitedBecause(why));
    this.#worker = worker;
  }

  #exitedBecause(why: string): void {
    this.#serving = false;
    const idle = this.#batch.length === 0 && this.#queue.length === 0;
    if (this.#broken !== undefined || (this.#closing && idle)) {
      this.#fail(new FairleadError("FL_STORAGE", "the store is closed"));
      return this.#exited.resolve();
    }
    const error = new FairleadError("FL_STORAGE", `the storage worker failed: ${why}`);
    if (!this.#opened || ++this.#deaths > maxDeaths) {
      this.#fail(error);
      return this.#exited.resolve();
    }
    this.#log.error("the storage worker died and is started again", { error: why, directory: this.#options.directory });
    this.#spawn(false);
  }

  subscribe(listener: (events: readonly StoreEvent[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async write(request: WriteRequest): Promise<WriteResult> {
    if (this.#broken !== undefined) throw this.#broken;
    if (this.#closing) throw new FairleadError("FL_STORAGE", "the store is closed");
    const admission = this.#heads.admit(request);
    if (admission.kind === "conflict") {
      await admission.settled;
      return { kind: "conflict", revision: this.#heads.committed(request.key) };
    }
    const { promise, resolve, reject } = Promise.withResolvers<WriteResult>();
    this.#queue.push({ write: admission, resolve, reject });
    this.#planFlush();
    return promise;
  }

  async close(): Promise<void> {
    if (this.#worker === undefined) return;
    if (!this.#closing) {
      this.#closing = true;
      this.#finishIfIdle();
    }
    await this.#exited.promise;
  }

  /** Writes of the same turn of the event loop go together: all that came in with one look at the sockets. */
  #planFlush(): void {
    if (this.#flushPlanned || this.#batch.length > 0) return;
    this.#flushPlanned = true;
    setImmediate(() => {
      this.#flushPlanned = false;
      if (this.#batch.length === 0) this.#flush();
    });
  }

  #flush(): void {
    if (!this.#serving) return;
    if (this.#queue.length === 0) return this.#finishIfIdle();
    let bytes = 0;
    const end = this.#queue.findIndex(({ write }) => (bytes += write.request.value?.byteLength ?? 0) > batchBytes);
    this.#batch = this.#queue.splice(0, end < 0 ? this.#queue.length : Math.max(1, end));
    this.#attempts = 0;
    this.#sendBatch();
  }

  #sendBatch(): void {
    this.#attempts += 1;
    const rows = packRows(this.#batch.map(({ write }) => row(write)));
    this.#send({ kind: "write", rows }, [rows.buffer]);
  }

  #finishIfIdle(): void {
    if (this.#closing && this.#serving && this.#batch.length === 0 && this.#queue.length === 0) this.#send({ kind: "close" });
  }

  #send(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, transfer);
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case "rows":
        return this.#load(unpackRows(message.rows));
      case "opened":
        this.#serving = true;
        return this.#opened ? this.#resume(message.revision) : this.#loaded(message.revision);
      case "refused":
        return this.#fail(new FairleadError(message.code, message.message, message.hint === undefined ? {} : { hint: message.hint }));
      case "committed":
        return this.#committed();
      case "rejected":
        return this.#rejected(
          new FairleadError("FL_STORAGE", `the store cannot write: ${message.message}; until it can, objects can be read and not changed`),
        );
      case "warning":
        return this.#log.warn(message.message, { error: message.error, directory: this.#options.directory });
      case "closed":
        return;
    }
  }

  #load(rows: readonly Row[]): void {
    const entries = rows.map(({ key, value, createRevision, revision }) => ({
      key,
      value: value as Uint8Array,
      createRevision,
      modRevision: revision,
    }));
    this.#heads.load(entries);
    for (const entry of entries) this.#entries.push(entry);
  }

  #loaded(revision: number): void {
    const snapshot = { revision, entries: this.#entries.splice(0) };
    this.#heads.begin(revision);
    if (this.#heads.size !== snapshot.entries.length)
      return this.#fail(new FairleadError("FL_STORAGE", `${this.#options.directory} is damaged: a key is there twice`));
    this.#opened = true;
    this.#opening.resolve(snapshot);
    this.#finishIfIdle();
  }

  /** Another worker has opened the file, which is at `revision`. */
  #resume(revision: number): void {
    const last = this.#batch.at(-1)?.write.revision;
    if (last === undefined) return this.#flush();
    if (revision >= last) return this.#committed();
    if (this.#attempts < maxAttempts) return this.#sendBatch();
    this.#rejected(new FairleadError("FL_STORAGE", "the storage worker died of this write, or of one beside it"));
  }

  #committed(): void {
    this.#deaths = 0;
    const batch = this.#takeBatch();
    const events = batch.map(({ write }): StoreEvent => row(write));
    for (const { write } of batch) this.#heads.commit(write);
    for (const listener of this.#listeners) listener(events);
    for (const { write, resolve } of batch) resolve({ kind: "ok", revision: write.revision });
    this.#flush();
  }

  #rejected(error: FairleadError): void {
    this.#log.error("writes failed", { error: error.message, directory: this.#options.directory });
    this.#abandon(this.#takeBatch(), error);
    this.#flush();
  }

  #takeBatch(): readonly Waiting[] {
    const batch = this.#batch;
    this.#batch = [];
    return batch;
  }

  #abandon(writes: readonly Waiting[], error: FairleadError): void {
    for (const { write, reject } of writes) {
      this.#heads.abandon(write);
      reject(error);
    }
  }

  /** The worker is gone: whatever waits learns why, and so does everything after. The first reason is the true one. */
  #fail(error: FairleadError): void {
    if (this.#broken === undefined && !this.#closing) this.#log.error(error.message, { directory: this.#options.directory });
    this.#broken ??= error;
    this.#opening.reject(this.#broken);
    this.#abandon([...this.#takeBatch(), ...this.#queue.splice(0)], this.#broken);
  }
}

function row({ request, createRevision, revision }: Admitted): StoreEvent {
  return { key: request.key, value: request.value, createRevision, revision };
}

/** Beside this file as source, beside the bundle as what the build writes. */
function workerUrl(): URL {
  return import.meta.url.endsWith(".ts") ? new URL("./worker.ts", import.meta.url) : new URL("./storage-worker.js", import.meta.url);
}
