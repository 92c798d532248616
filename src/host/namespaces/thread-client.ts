/** Calls to the namespaces thread: each message out has its answer, and nobody waits for a thread that is gone. */
import { Worker } from "node:worker_threads";
import { FairleadError } from "../../lib/errors.ts";
import { watchChildren, type Children } from "../syscalls/children.ts";
import { loadLibc } from "../syscalls/libc.ts";
import { defaultNodeCIDRs, type NamespacesOptions, type SpawnedProcess, type SpawnOptions } from "./namespaces.ts";
import {
  restoreFailure,
  type FromThread,
  type NamespaceId,
  type Operation,
  type Results,
  type ThreadOptions,
  type ToThread,
} from "./protocol.ts";

type Ready = Extract<FromThread, { kind: "ready" }>;
type Ended = Awaited<SpawnedProcess["exited"]>;

export interface Thread {
  /** Rejects with FL_UNSUPPORTED where this machine does not let us. */
  readonly ready: Promise<Ready>;
  call<Kind extends Operation["kind"]>(operation: Extract<Operation, { kind: Kind }>): Promise<Results[Kind]>;
  spawn(namespace: NamespaceId, options: SpawnOptions): Promise<SpawnedProcess>;
  stop(): Promise<void>;
}

interface Call {
  readonly resolve: (result: Results[keyof Results]) => void;
  readonly reject: (error: Error) => void;
}

/** The thread's heap: messages, and the tables of what it holds. */
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };

/** Throws FL_UNSUPPORTED where there is no FFI. */
export function startThread(options: NamespacesOptions): Thread {
  const libc = loadLibc();
  if (libc === undefined) throw unable(new Error("no FFI on this machine (package koffi)"));
  const workerData: ThreadOptions = { nodeCIDRs: options.nodeCIDRs ?? defaultNodeCIDRs };
  const worker = new Worker(workerUrl(), { workerData, resourceLimits, name: "namespaces" });
  return new WorkerThread(worker, watchChildren(libc), options);
}

class WorkerThread implements Thread {
  readonly #worker: Worker;
  readonly #options: NamespacesOptions;
  readonly #ready = Promise.withResolvers<Ready>();
  readonly #exited = Promise.withResolvers<void>();
  readonly #calls = new Map<number, Call>();
  readonly #children: Children;
  #nextCall = 1;
  #stopping = false;
  /** Why nothing works any more. */
  #broken: Error | undefined;

  constructor(worker: Worker, children: Children, options: NamespacesOptions) {
    this.#worker = worker;
    this.#children = children;
    this.#options = options;
    // Whoever called `createNamespaces` sees a refusal; when the thread dies later nobody waits for this promise any more.
    this.#ready.promise.catch(() => undefined);
    worker.on("message", (message: FromThread) => this.#receive(message));
    worker.on("error", (error) => this.#fail(new FairleadError("FL_INTERNAL", "the namespaces thread failed", { cause: error })));
    worker.on("exit", () => {
      this.#fail(new FairleadError("FL_RUNTIME", "the namespaces are gone"));
      this.#exited.resolve();
    });
  }

  get ready(): Promise<Ready> {
    return this.#ready.promise;
  }

  call<Kind extends Operation["kind"]>(operation: Extract<Operation, { kind: Kind }>): Promise<Results[Kind]> {
    const { promise, resolve, reject } = Promise.withResolvers<Results[Kind]>();
    this.#begin(operation, { resolve: (result) => resolve(result as Results[Kind]), reject });
    return promise;
  }

  spawn(namespace: NamespaceId, options: SpawnOptions): Promise<SpawnedProcess> {
    const { promise, resolve, reject } = Promise.withResolvers<SpawnedProcess>();
    // In the answer's own turn: until it is watched, nobody takes a process away that has ended.
    const started = (result: Results[keyof Results]) => resolve(this.#watch((result as Results["spawn"]).pid));
    this.#begin({ kind: "spawn", namespace, options }, { resolve: started, reject });
    return promise;
  }

  async stop(): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true;
      this.#killAll();
      this.#send({ kind: "stop" });
    }
    await this.#exited.promise;
  }

  #watch(pid: number): SpawnedProcess {
    const { promise, resolve } = Promise.withResolvers<Ended>();
    let over = false;
    this.#children.watch(pid, (ended) => {
      over = true;
      resolve(ended);
    });
    const signal = (name: NodeJS.Signals) => {
      if (!over) signalGroup(pid, name);
    };
    return { pid, exited: promise, signal };
  }

  #killAll(): void {
    for (const pid of this.#children.pids()) signalGroup(pid, "SIGKILL");
    this.#children.close();
  }

  #begin(operation: Operation, waiting: Call): void {
    if (this.#broken !== undefined) return waiting.reject(this.#broken);
    const call = this.#nextCall++;
    this.#calls.set(call, waiting);
    this.#send({ kind: "operation", call, operation });
  }

  #send(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case "ready":
        return this.#ready.resolve(message);
      case "unable":
        return this.#fail(unable(restoreFailure(message.failure)));
      case "done":
        return this.#take(message.call)?.resolve(message.result);
      case "failed":
        return this.#take(message.call)?.reject(restoreFailure(message.failure));
    }
  }

  #take(call: number): Call | undefined {
    const waiting = this.#calls.get(call);
    this.#calls.delete(call);
    return waiting;
  }

  /** The first reason is the true one. */
  #fail(error: Error): void {
    if (this.#broken !== undefined) return;
    this.#broken = error;
    this.#ready.reject(error);
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
    this.#killAll();
    if (!this.#stopping) this.#options.onFailure?.(error);
  }
}

function unable(cause: Error): FairleadError {
  return new FairleadError("FL_UNSUPPORTED", `nodes cannot be network namespaces here: ${cause.message}`, {
    cause,
    hint: "`fairlead doctor` says what this machine allows and how to allow more; loopback mode needs none of it.",
  });
}

/** Its leader may have ended while others of the group live on. */
function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Beside this file as source, beside the bundle as what the build writes. */
function workerUrl(): URL {
  return import.meta.url.endsWith(".ts") ? new URL("./thread.ts", import.meta.url) : new URL("./namespaces-thread.js", import.meta.url);
}
