/** A watch whose events wait before a gate. It reads ahead, so that a delay is the same for each event and they do not add up. */
import type { StreamedEvent, WatchStream } from "../../api/request.ts";
import { sleep, type Clock } from "../../lib/clock.ts";

/** Why an event waits: so many ms from its arrival, or (`delay` undefined) until it is over. */
export interface Hold {
  readonly delay: number | undefined;
  readonly over: Promise<void>;
}

export interface GateOptions {
  readonly clock: Clock;
  /** What holds events now; undefined: nothing. */
  readonly hold: () => Hold | undefined;
  /** Called once, when nothing comes any more. */
  readonly ended: () => void;
}

interface Arrived {
  readonly event: StreamedEvent;
  /** Monotonic ms. */
  readonly at: number;
}

export class GatedStream implements WatchStream {
  readonly framed?: true;
  readonly #inner: WatchStream;
  readonly #options: GateOptions;
  readonly #arrived: Arrived[] = [];
  readonly #closing = new AbortController();
  #finished = false;
  /** Why the inner stream ended, if not by itself: for who reads this one. */
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => undefined;

  constructor(inner: WatchStream, options: GateOptions) {
    this.#inner = inner;
    this.#options = options;
    if (inner.framed === true) this.framed = true;
    void this.#read();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<StreamedEvent> {
    try {
      for (;;) {
        const [first] = this.#arrived;
        if (first !== undefined) await this.#pass(first);
        if (this.#closing.signal.aborted) return;
        if (first !== undefined) yield (this.#arrived.shift() as Arrived).event;
        else if (this.#failure !== undefined) throw this.#failure.error;
        else if (this.#finished) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.close();
    }
  }

  /** The connection is lost: what has not come out yet never does. */
  cut(): void {
    this.close();
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#inner.close();
    this.#wake();
    this.#options.ended();
  }

  async #read(): Promise<void> {
    const { clock } = this.#options;
    try {
      for await (const event of this.#inner) {
        this.#arrived.push({ event, at: clock.monotonic() });
        this.#wake();
      }
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#finished = true;
      this.#wake();
    }
  }

  async #pass({ at }: Arrived): Promise<void> {
    const { clock, hold } = this.#options;
    const { signal } = this.#closing;
    for (let held = hold(); held !== undefined && !signal.aborted; held = hold()) {
      const left = held.delay === undefined ? Infinity : at + held.delay - clock.monotonic();
      if (left <= 0) return;
      const waiting = new AbortController();
      const until = AbortSignal.any([signal, waiting.signal]);
      const slept = left === Infinity ? aborted(until) : sleep(clock, left, until).catch(() => undefined);
      await Promise.race([held.over, slept]);
      waiting.abort();
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
