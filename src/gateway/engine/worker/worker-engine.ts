/**
 * The engine in threads of its own, each with an event loop of ours; several share the ports (SO_REUSEPORT). The main thread decides
 * what is served; it never touches a request.
 */
import { Worker } from "node:worker_threads";
import type { BackendEndpoint } from "../../../decide/routes/index.ts";
import { errnoCode } from "../../../lib/errors.ts";
import { createWake, type Wake } from "../../../net/epoll/wake.ts";
import type { Engine, EngineChange, EngineListen, EngineListener, EngineStats, ListenFailure } from "../engine.ts";
import type { ProxyEngineOptions } from "../proxy-engine.ts";
import { DeltaWriter, type ChangeDelta } from "./change-delta.ts";
import { RecordUnpacker } from "./packed-records.ts";
import {
  statBytes,
  statSlots,
  type ConnectionDescriptor,
  type EngineThreadData,
  type FromEngineThread,
  type ListenResult,
  type RecordDetail,
  type ToEngineThread,
} from "./protocol.ts";

export interface WorkerEngineOptions extends Pick<ProxyEngineOptions, "limits" | "onRequest" | "observe"> {
  /** Default 1. */
  readonly threads?: number;
  /** Where endpoints may be in another network than this host's. */
  readonly reach?: Reach | undefined;
}

/** A socket on its way to an endpoint, or the address at which the endpoint is to be had from this host's network. Rejects with the system's error. */
export type Reach = (endpoint: BackendEndpoint) => Promise<ConnectionDescriptor | BackendEndpoint>;

/** Undefined where there is no FFI. */
export function createWorkerEngine({ threads = 1, ...options }: WorkerEngineOptions): Engine | undefined {
  const wakes = Array.from({ length: threads }, () => createWake());
  if (!wakes.every((wake) => wake !== undefined)) return undefined;
  return new WorkerEngine(wakes.map((wake) => new EngineWorker(wake, options, threads > 1)));
}

class WorkerEngine implements Engine {
  readonly #workers: readonly EngineWorker[];
  readonly #deltas = new DeltaWriter();

  constructor(workers: readonly EngineWorker[]) {
    this.#workers = workers;
  }

  publish(change: EngineChange): void {
    const delta = this.#deltas.write(change);
    for (const worker of this.#workers) worker.publish(delta);
  }

  async listen(options: EngineListen): Promise<EngineListener | ListenFailure> {
    const [first, ...others] = this.#workers as readonly [EngineWorker, ...EngineWorker[]];
    const opened = await first.listen(options);
    if (opened.kind === "failed") return opened;
    const all = [opened];
    // Datagrams of one client must reach one thread: that of the first.
    if (options.protocol !== "UDP") {
      for (const worker of others) {
        const next = await worker.listen({ ...options, port: opened.port });
        if (next.kind === "ok") all.push(next);
      }
    }
    return {
      kind: "ok",
      host: opened.host,
      port: opened.port,
      close: async () => void (await Promise.all(all.map((each) => each.close()))),
    };
  }

  async settled(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.settled()));
  }

  stats(): EngineStats {
    const all = this.#workers.map((worker) => worker.stats());
    const sum = (of: (stats: EngineStats) => number) => all.reduce((total, each) => total + of(each), 0);
    return { clients: sum((each) => each.clients), tunnels: sum((each) => each.tunnels), requests: sum((each) => each.requests) };
  }

  async stop(graceMs = 0): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop(graceMs)));
  }
}

class EngineWorker {
  readonly #options: WorkerEngineOptions;
  readonly #wake: Wake;
  readonly #worker: Worker;
  readonly #stats = new Float64Array(new SharedArrayBuffer(statBytes));
  readonly #records = new RecordUnpacker();
  readonly #listening = new Map<number, (result: ListenResult) => void>();
  readonly #closing = new Map<number, () => void>();
  readonly #settling = new Map<number, () => void>();
  readonly #exited: Promise<void>;
  #nextId = 0;
  #stopping = false;

  constructor(wake: Wake, options: WorkerEngineOptions, shared: boolean) {
    this.#options = options;
    this.#wake = wake;
    const workerData: EngineThreadData = {
      limits: options.limits ?? {},
      wake: wake.fd,
      stats: this.#stats.buffer as SharedArrayBuffer,
      shared,
      asksForConnections: options.reach !== undefined,
      ...(options.observe === undefined ? {} : { observe: options.observe }),
      records: detailOf(options),
    };
    this.#worker = new Worker(threadUrl(), { workerData, name: "gateway", resourceLimits });
    this.#worker.on("message", (message: FromEngineThread) => this.#receive(message));
    // A fault of ours in the thread is what it would be in this one: the end.
    this.#worker.on("error", (error) => {
      throw error;
    });
    this.#exited = new Promise((resolve) => this.#worker.once("exit", () => resolve()));
    // A thread that ends has nothing left to do.
    void this.#exited.then(() => {
      for (const settled of this.#settling.values()) settled();
    });
    this.#worker.unref();
  }

  #post(message: ToEngineThread): void {
    if (this.#stopping) return;
    this.#worker.postMessage(message);
    this.#wake.ring();
  }

  #receive(message: FromEngineThread): void {
    switch (message.kind) {
      case "listening":
        this.#listening.get(message.id)?.(message.result);
        this.#listening.delete(message.id);
        return;
      case "closed":
        this.#closing.get(message.id)?.();
        this.#closing.delete(message.id);
        return;
      case "settled":
        this.#settling.get(message.id)?.();
        this.#settling.delete(message.id);
        return;
      case "connect":
        return void this.#reach(message.id, message.endpoint);
      case "records":
        return this.#records.each(message.packed, (record) => this.#options.onRequest?.(record));
      case "stopped":
        return;
    }
  }

  async #reach(id: number, endpoint: BackendEndpoint): Promise<void> {
    const answer = await this.#options.reach?.(endpoint).catch((error: unknown) => ({ failed: errnoCode(error) ?? "ECONNREFUSED" }));
    if (answer !== undefined) this.#post({ kind: "connection", id, answer });
  }

  publish(change: ChangeDelta): void {
    this.#post({ kind: "publish", change });
  }

  listen(options: EngineListen): Promise<EngineListener | ListenFailure> {
    const id = this.#nextId++;
    // Whoever listens keeps the process alive.
    this.#worker.ref();
    return new Promise((resolve) => {
      this.#listening.set(id, (result) => {
        resolve(result.kind === "failed" ? result : { ...result, close: () => this.#close(id) });
      });
      this.#post({ kind: "listen", id, options });
    });
  }

  #close(id: number): Promise<void> {
    if (this.#stopping) return Promise.resolve();
    return new Promise((resolve) => {
      this.#closing.set(id, resolve);
      this.#post({ kind: "close", id });
    });
  }

  settled(): Promise<void> {
    if (this.#stopping) return Promise.resolve();
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#settling.set(id, resolve);
      this.#post({ kind: "settle", id });
    });
  }

  stats(): EngineStats {
    const [clients = 0, tunnels = 0, requests = 0] = [statSlots.clients, statSlots.tunnels, statSlots.requests].map(
      (slot) => this.#stats[slot],
    );
    return { clients, tunnels, requests };
  }

  async stop(graceMs: number): Promise<void> {
    if (!this.#stopping) {
      // Who waits for its end wants to see it, even when nothing else keeps the process alive.
      this.#worker.ref();
      this.#post({ kind: "stop", graceMs });
      this.#stopping = true;
      void this.#exited.then(() => this.#wake.close());
    }
    await this.#exited;
  }
}

/** Connections and tables; what requests leave behind is small and short-lived. */
const resourceLimits = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 1024 };

function detailOf({ onRequest, observe }: WorkerEngineOptions): RecordDetail {
  if (onRequest === undefined) return "none";
  return observe === undefined ? "counted" : "whole";
}

function threadUrl(): URL {
  return import.meta.url.endsWith(".ts") ? new URL("./thread.ts", import.meta.url) : new URL("./gateway-thread.js", import.meta.url);
}
