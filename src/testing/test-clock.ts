/**
 * A cluster's clock in a test. It runs like the machine's until the test moves it: `advance` jumps ahead and runs on the way
 * what falls due, each at its own time; `freeze` holds it, so that "not yet at 9,999 ms, at 10,000 it is" can be said.
 */
import { realClock, type Clock, type Timer } from "../lib/clock.ts";

export interface TestClock extends Clock {
  /**
   * Moves the cluster's time on by `ms`. Before the next thing falls due, what the last one set off in the API and the
   * controllers has happened. What goes over sockets (a pod's answer, a probe) takes its own time: wait for it by what it changes.
   */
  advance(ms: number): Promise<void>;
  /** Time stands still from now on, but for `advance`. Idempotent. */
  freeze(): void;
  /** Time runs again, from where it stood. Idempotent. */
  run(): void;
  readonly isFrozen: boolean;
}

export interface TestClockOptions {
  /** Resolves when what is under way in the cluster has come to rest. */
  readonly settle: () => Promise<void>;
  /** The clock behind it; default the machine's. */
  readonly machine?: Clock;
}

interface Pending {
  /** In this clock's time. */
  readonly due: number;
  readonly order: number;
  readonly run: () => void;
  timer: Timer | undefined;
}

export function createTestClock({ settle, machine = realClock }: TestClockOptions): TestClock & { close(): void } {
  return new MovableClock(settle, machine);
}

/**
 * On the next whole microsecond. Who waits for a moment asks again for what is left of it; time that stops exactly where a timer
 * was due, which may be a rounding error before that moment, would never get there.
 */
function dueAfter(now: number, ms: number): number {
  return ms > 0 ? Math.max(Math.ceil((now + ms) * 1000) / 1000, now) : now;
}

class MovableClock implements TestClock {
  readonly #settle: () => Promise<void>;
  readonly #machine: Clock;
  readonly #pending = new Set<Pending>();
  /** What this clock is ahead of the machine's, of both kinds. */
  #ahead = 0;
  /** The machine's time at which it was frozen. */
  #frozen: { readonly now: number; readonly monotonic: number } | undefined;
  #order = 0;
  #moving: Promise<void> = Promise.resolve();

  constructor(settle: () => Promise<void>, machine: Clock) {
    this.#settle = settle;
    this.#machine = machine;
  }

  get isFrozen(): boolean {
    return this.#frozen !== undefined;
  }

  /** Whole milliseconds, as the machine's: what it is ahead by goes by the monotonic clock, which has fractions. */
  now(): number {
    return Math.round((this.#frozen ?? { now: this.#machine.now() }).now + this.#ahead);
  }

  monotonic(): number {
    return (this.#frozen ?? { monotonic: this.#machine.monotonic() }).monotonic + this.#ahead;
  }

  after(ms: number, run: () => void): Timer {
    const entry: Pending = { due: dueAfter(this.monotonic(), ms), order: this.#order++, run, timer: undefined };
    this.#pending.add(entry);
    this.#arm(entry);
    return { cancel: () => this.#drop(entry) };
  }

  advance(ms: number): Promise<void> {
    // One after the other: two that overlap would each believe that the way to its end is its own.
    const moved = this.#moving.then(() => this.#advance(ms));
    this.#moving = moved.catch(() => undefined);
    return moved;
  }

  freeze(): void {
    if (this.#frozen !== undefined) return;
    this.#frozen = { now: this.#machine.now(), monotonic: this.#machine.monotonic() };
    for (const entry of this.#pending) this.#arm(entry);
  }

  run(): void {
    if (this.#frozen === undefined) return;
    const { monotonic } = this.#frozen;
    this.#ahead += monotonic - this.#machine.monotonic();
    this.#frozen = undefined;
    for (const entry of this.#pending) this.#arm(entry);
  }

  close(): void {
    for (const entry of [...this.#pending]) this.#drop(entry);
  }

  async #advance(ms: number): Promise<void> {
    const wasFrozen = this.isFrozen;
    this.freeze();
    try {
      await this.#settle();
      const end = dueAfter(this.monotonic(), ms);
      for (let next = this.#earliest(end); next !== undefined; next = this.#earliest(end)) {
        this.#moveTo(Math.max(next.due, this.monotonic()));
        this.#fire(next);
        await this.#settle();
      }
      this.#moveTo(end);
      await this.#settle();
    } finally {
      if (!wasFrozen) this.run();
    }
  }

  #earliest(end: number): Pending | undefined {
    let found: Pending | undefined;
    for (const entry of this.#pending) {
      if (entry.due > end) continue;
      if (found === undefined || entry.due < found.due || (entry.due === found.due && entry.order < found.order)) found = entry;
    }
    return found;
  }

  #moveTo(monotonic: number): void {
    this.#ahead += monotonic - this.monotonic();
  }

  /** What is due happens even while time stands still: a turn of the event loop is no time. */
  #arm(entry: Pending): void {
    entry.timer?.cancel();
    const left = Math.max(0, entry.due - this.monotonic());
    entry.timer = this.isFrozen && left > 0 ? undefined : this.#machine.after(left, () => this.#fire(entry));
  }

  #fire(entry: Pending): void {
    if (!this.#pending.has(entry)) return;
    this.#drop(entry);
    entry.run();
  }

  #drop(entry: Pending): void {
    entry.timer?.cancel();
    this.#pending.delete(entry);
  }
}
