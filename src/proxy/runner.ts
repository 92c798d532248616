/**
 * Runs one function at a bounded rate (upstream pkg/proxy/runner/bounded_frequency_runner.go): any number of `request`s while it
 * waits or runs make one more run. Runs never overlap.
 */
import type { Clock, Timer } from "../lib/clock.ts";

export interface BoundedFrequencyRunnerOptions {
  readonly run: () => Promise<void>;
  readonly clock: Clock;
  /** From the start of one run to the start of the next, at least. Default 0: as soon as the present events are handled. */
  readonly minIntervalMs?: number;
}

export class BoundedFrequencyRunner {
  readonly #options: Required<BoundedFrequencyRunnerOptions>;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #lastStart = Number.NEGATIVE_INFINITY;

  constructor(options: BoundedFrequencyRunnerOptions) {
    this.#options = { minIntervalMs: 0, ...options };
  }

  /** Asks for a run that sees everything up to now. */
  request(): void {
    if (this.#stopped) return;
    if (this.#running !== undefined) this.#again = true;
    else this.#schedule();
  }

  /** No further run begins; resolves when the present one has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#running;
  }

  #schedule(): void {
    const { clock, minIntervalMs } = this.#options;
    this.#timer ??= clock.after(Math.max(0, this.#lastStart + minIntervalMs - clock.monotonic()), () => this.#begin());
  }

  #begin(): void {
    this.#timer = undefined;
    this.#lastStart = this.#options.clock.monotonic();
    this.#running = this.#options.run().finally(() => {
      this.#running = undefined;
      if (this.#again && !this.#stopped) this.#schedule();
      this.#again = false;
    });
  }
}
