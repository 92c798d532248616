/** Keys whose object is to be written, a few at a time: a writer is this and what it does with a key. */
import { createWorkQueue, type WorkQueue } from "../client/workqueue.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";

export interface KeyQueueOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly workers: number;
  /** Throws: the key comes back after its back-off. */
  readonly write: (key: string) => Promise<void>;
}

export class KeyQueue {
  readonly #options: KeyQueueOptions;
  readonly #queue: WorkQueue;
  #work: Promise<void> = Promise.resolve();

  constructor(options: KeyQueueOptions) {
    this.#options = options;
    const { name, clock, log } = options;
    this.#queue = createWorkQueue({ name, clock, log });
  }

  start(): void {
    this.#work = this.#queue.run(this.#options.workers, this.#options.write);
  }

  add(key: string): void {
    this.#queue.add(key);
  }

  /** Another turn, after the key's own back-off. */
  again(key: string): void {
    this.#queue.addRateLimited(key);
  }

  async stop(): Promise<void> {
    this.#queue.shutDown();
    await this.#work;
  }
}
