/**
 * A key whose reconciling holds the thread for long is not reconciled again at once: what changes meanwhile is done together. A
 * Service with 5,000 pods would otherwise be computed anew for each of them, 5,000 times 40 ms, and every other controller
 * would wait. (Upstream has a fixed `--endpoint-updates-batch-period` for it, which makes small Services wait as well.)
 */
import type { Clock } from "../lib/clock.ts";

/** What takes less than a slice of the control thread may take is of no concern. */
const noticeMs = 5;
/** At most one part in so many of the thread's time goes to one key. */
const parts = 10;
const longestMs = 2000;

export class Pacing {
  readonly #clock: Pick<Clock, "monotonic">;
  /** Key → when it may come again, on the monotonic clock. */
  readonly #until = new Map<string, number>();

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** Milliseconds until the key may be worked on; 0: now. */
  left(key: string): number {
    const until = this.#until.get(key);
    if (until === undefined) return 0;
    const left = until - this.#clock.monotonic();
    if (left > 0) return left;
    this.#until.delete(key);
    return 0;
  }

  /** Does the work and notes how long it held the thread before it first waited for anything. */
  async run(key: string, work: (key: string) => Promise<void>): Promise<void> {
    const began = this.#clock.monotonic();
    const working = work(key);
    const held = this.#clock.monotonic() - began;
    try {
      await working;
    } finally {
      if (held >= noticeMs) this.#until.set(key, this.#clock.monotonic() + Math.min(held * (parts - 1), longestMs));
    }
  }
}
