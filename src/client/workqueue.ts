/**
 * The queue between what happened and what is done about it, with client-go's rules (`util/workqueue`): a key waits at most
 * once, is never worked on by two at once, and a key added while it is worked on comes again afterwards. Failures come
 * back later and later.
 */
import type { Clock, Timer } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import { silentLogger, type Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import { queueMetrics, type QueueMetrics } from "./workqueue-metrics.ts";

export interface WorkQueueOptions {
  /** The `name` of the metrics, and the log's. */
  readonly name: string;
  readonly clock: Clock;
  readonly log?: Logger;
  readonly metrics?: MetricsRegistry;
  /** Wait before the first retry of a key, doubled by each further one. Default 5 ms. */
  readonly baseDelay?: number;
  /** Default 1,000,000 ms. */
  readonly maxDelay?: number;
}

export interface WorkQueue {
  add(key: string): void;
  /** Adds after `ms`; of several for one key the earliest counts. */
  addAfter(key: string, ms: number): void;
  /** Adds after the key's own back-off, which this raises. */
  addRateLimited(key: string): void;
  /** The key succeeded: its back-off begins anew. */
  forget(key: string): void;
  /** How often `addRateLimited` was called for the key since `forget`. */
  retries(key: string): number;
  /** Keys that wait for a worker; not those that wait for their time. */
  readonly length: number;
  /** The next key, which must be given to `done`; undefined after `shutDown`. */
  get(): Promise<string | undefined>;
  done(key: string): void;
  /**
   * Works with `workers` at a time until `shutDown`. `work` that throws is logged, and the key comes back after its
   * back-off; otherwise it is forgotten. Resolves when the last one is done.
   */
  run(workers: number, work: (key: string) => Promise<void>): Promise<void>;
  /** Nothing is added or given out any more; who works may finish. */
  shutDown(): void;
}

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  return new Queue(options);
}

class Queue implements WorkQueue {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #metrics: QueueMetrics;
  readonly #baseDelay: number;
  readonly #maxDelay: number;
  /** Keys to be given out, oldest first, with the time since which they wait. */
  readonly #waiting = new Map<string, number>();
  /** Keys at work, with the time since when. */
  readonly #working = new Map<string, number>();
  /** Keys added while at work. */
  readonly #again = new Set<string>();
  readonly #later = new Map<string, { readonly due: number; readonly timer: Timer }>();
  readonly #failures = new Map<string, number>();
  readonly #idle: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#log = options.log ?? silentLogger;
    this.#metrics = queueMetrics(options.metrics, options.name);
    this.#baseDelay = options.baseDelay ?? 5;
    this.#maxDelay = options.maxDelay ?? 1_000_000;
  }

  get length(): number {
    return this.#waiting.size;
  }

  add(key: string): void {
    if (this.#closed || this.#waiting.has(key) || this.#again.has(key)) return;
    this.#metrics.adds.inc();
    if (this.#working.has(key)) this.#again.add(key);
    else this.#enqueue(key);
  }

  #enqueue(key: string): void {
    this.#waiting.set(key, this.#clock.monotonic());
    this.#metrics.depth.set(this.#waiting.size);
    if (this.#idle.length > 0) this.#idle.shift()?.(this.#take());
  }

  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) return this.add(key);
    const due = this.#clock.monotonic() + ms;
    const planned = this.#later.get(key);
    if (planned !== undefined && planned.due <= due) return;
    planned?.timer.cancel();
    const timer = this.#clock.after(ms, () => {
      this.#later.delete(key);
      this.add(key);
    });
    this.#later.set(key, { due, timer });
  }

  addRateLimited(key: string): void {
    if (this.#closed) return;
    const failures = this.retries(key);
    this.#failures.set(key, failures + 1);
    this.#metrics.retries.inc();
    this.addAfter(key, Math.min(this.#baseDelay * 2 ** failures, this.#maxDelay));
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  retries(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  async get(): Promise<string | undefined> {
    if (this.#closed) return undefined;
    if (this.#waiting.size > 0) return this.#take();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #take(): string {
    const [key, since] = this.#waiting.entries().next().value as [string, number];
    const now = this.#clock.monotonic();
    this.#waiting.delete(key);
    this.#working.set(key, now);
    this.#metrics.depth.set(this.#waiting.size);
    this.#metrics.waited.observe((now - since) / 1000);
    return key;
  }

  done(key: string): void {
    const since = this.#working.get(key);
    if (since === undefined) return;
    this.#working.delete(key);
    this.#metrics.worked.observe((this.#clock.monotonic() - since) / 1000);
    if (this.#again.delete(key) && !this.#closed) this.#enqueue(key);
  }

  async run(workers: number, work: (key: string) => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: workers }, () => this.#worker(work)));
  }

  async #worker(work: (key: string) => Promise<void>): Promise<void> {
    for (let key = await this.get(); key !== undefined; key = await this.get()) {
      try {
        await work(key);
        this.forget(key);
      } catch (error) {
        this.#log.warn("will try again", { key, retries: this.retries(key), error: errorMessage(error) });
        this.addRateLimited(key);
      } finally {
        this.done(key);
      }
    }
  }

  shutDown(): void {
    this.#closed = true;
    for (const { timer } of this.#later.values()) timer.cancel();
    this.#later.clear();
    this.#waiting.clear();
    this.#again.clear();
    this.#metrics.depth.set(0);
    for (const idle of this.#idle.splice(0)) idle(undefined);
  }
}
