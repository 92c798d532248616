/**
 * A pause for everybody else. With everything in memory a chain of requests in process is microtasks from end to end, and as long as
 * one goes on no timer fires and no socket is read.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../lib/clock.ts";

/** Milliseconds of requests without a pause. */
const longest = 5;

export class Breather {
  readonly #clock: Pick<Clock, "monotonic">;
  #since: number | undefined;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** To be awaited, where it is not undefined, before a request is begun. */
  pause(): Promise<void> | undefined {
    const now = this.#clock.monotonic();
    if (this.#since === undefined) {
      this.#since = now;
      setImmediate(() => (this.#since = undefined));
      return undefined;
    }
    return now - this.#since < longest ? undefined : nextTurn();
  }
}
