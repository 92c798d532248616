/**
 * Lets others have the thread. In one process with the API server a controller's reads and writes may all be answered without
 * any waiting, so a chain of promises could keep timers and sockets waiting for seconds while a thousand pods are made.
 * Who works through many keys or objects pauses between them when it has had its share.
 */
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../lib/clock.ts";

/** Half of what a slice of the control thread may take. */
const shareMs = 2.5;

export class Breather {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #turn: () => Promise<unknown>;
  #since: number;

  /** `turn`: waits until the event loop has come round. */
  constructor(clock: Pick<Clock, "monotonic">, turn: () => Promise<unknown> = () => setImmediate()) {
    this.#clock = clock;
    this.#turn = turn;
    this.#since = clock.monotonic();
  }

  /** Waits for the next turn of the event loop when the share is used up; otherwise at once. */
  async pause(): Promise<void> {
    if (this.#clock.monotonic() - this.#since < shareMs) return;
    await this.#turn();
    this.#since = this.#clock.monotonic();
  }
}
