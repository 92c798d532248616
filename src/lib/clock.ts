/**
 * Time as a parameter. Everything that waits or reads the time takes a `Clock`, so a test decides how fast time passes.
 */

/** A pending callback; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch (may step when the wall clock is set). */
  now(): number;
  /** Milliseconds of a clock that only moves forward; for durations. */
  monotonic(): number;
  /** Calls `run` once after `ms` milliseconds. The timer never keeps the process alive by itself. */
  after(ms: number, run: () => void): Timer;
}

/** The machine's own clock. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const handle = setTimeout(run, ms);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `ms`; rejects with the signal's reason when aborted. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** The last one written: of the thousand writes of a second each asks for it. */
let written = { second: Number.NaN, text: "" };

/** RFC 3339 with seconds, as `metav1.Time` is written: `2026-11-21T09:28:27Z`. */
export function rfc3339(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (written.second !== second) written = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` };
  return written.text;
}

/** RFC 3339 with microseconds, as `metav1.MicroTime` is written. */
export function rfc3339Micro(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`;
}

interface Pending {
  readonly due: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that a test moves by hand: `advance` runs what falls due, in order, each at its own time. */
export class FakeClock implements Clock {
  #now: number;
  #order = 0;
  #pending: Pending[] = [];

  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): Timer {
    const entry: Pending = { due: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#pending.push(entry);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((other) => other !== entry);
      },
    };
  }

  /** How many callbacks are waiting. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Moves time forward by `ms`, running every callback that falls due, those they add included. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#pending.filter((entry) => entry.due <= end).sort((a, b) => a.due - b.due || a.order - b.order)[0];
      if (next === undefined) break;
      this.#pending = this.#pending.filter((entry) => entry !== next);
      this.#now = next.due;
      next.run();
    }
    this.#now = end;
  }

  /** Like `advance`, but lets promises settle between callbacks. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = this.#pending.filter((entry) => entry.due <= end).sort((a, b) => a.due - b.due || a.order - b.order)[0];
      if (next === undefined) break;
      this.#pending = this.#pending.filter((entry) => entry !== next);
      this.#now = next.due;
      next.run();
    }
    this.#now = end;
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
