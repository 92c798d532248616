/**
 * One watch: what was there at its beginning, then a bounded queue of shared events. A consumer that falls behind the
 * bound is cut off (it gets what is queued, then the end) and comes back with the last revision that it saw: memory does
 * not grow with the slowness of clients.
 */
import type { KubeObject } from "../api/object.ts";
import type { StreamedEvent, WatchStream } from "../api/request.ts";
import type { Clock, Timer } from "../lib/clock.ts";
import { longWork } from "./long-work.ts";
import { addedEvent, CacheEvent } from "./watch-cache-events.ts";
import type { StoredVersion } from "./watch-cache-object.ts";

export interface WatcherOptions {
  /** What comes first: objects that are there, or events since the revision from which the watch resumes. */
  readonly backlog: readonly (StoredVersion | CacheEvent)[];
  /** Comes after `backlog`. */
  readonly backlogEnd?: StreamedEvent | undefined;
  readonly match?: ((object: KubeObject) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Events that may wait. */
  readonly queueLimit: number;
  readonly clock: Clock;
  readonly onEnd: (why: "closed" | "slow") => void;
}

export class Watcher implements WatchStream {
  readonly #options: Omit<WatcherOptions, "backlog">;
  readonly #abort = (): void => this.close();
  /** Let go of when it was given out: it holds versions that nobody else may need. */
  #backlog: readonly (StoredVersion | CacheEvent)[];
  #queue: StreamedEvent[] = [];
  #timer: Timer | undefined;
  #wake: (() => void) | undefined;
  /** No more events come; `closed`: nor are those that wait given out. */
  #state: "open" | "ended" | "closed" = "open";

  constructor(options: WatcherOptions) {
    const { backlog, ...others } = options;
    this.#options = others;
    this.#backlog = backlog;
    options.signal?.addEventListener("abort", this.#abort, { once: true });
    if (options.signal?.aborted === true) queueMicrotask(this.#abort);
  }

  /** Queues what the event is to this watcher, if anything. */
  deliver(event: CacheEvent): void {
    const seen = this.#view(event);
    if (seen !== undefined) this.push(seen);
  }

  /** Queues what `make` gives, again and again until the end. */
  every(milliseconds: number, make: () => StreamedEvent): void {
    this.#timer = this.#options.clock.after(milliseconds, () => {
      this.push(make());
      if (this.#state === "open") this.every(milliseconds, make);
    });
  }

  push(event: StreamedEvent): void {
    if (this.#state !== "open") return;
    this.#queue.push(event);
    if (this.#queue.length > this.#options.queueLimit) this.end("slow");
    this.#wake?.();
  }

  /** Lets the consumer have what waits, then ends. */
  end(why: "closed" | "slow"): void {
    if (this.#state !== "open") return;
    this.#state = "ended";
    this.#timer?.cancel();
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#options.onEnd(why);
    this.#wake?.();
  }

  close(): void {
    this.end("closed");
    this.#state = "closed";
    this.#queue = [];
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<StreamedEvent> {
    try {
      yield* this.#first();
      for (;;) {
        const waiting = this.#queue;
        this.#queue = [];
        for (const event of waiting) {
          if (this.#closed()) return;
          yield event;
          // One write may wake a thousand watches.
          if (longWork.isOver) await longWork.next();
        }
        if (this.#queue.length > 0) continue;
        if (this.#state !== "open") return;
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = undefined;
      }
    } finally {
      this.close();
    }
  }

  async *#first(): AsyncGenerator<StreamedEvent> {
    const { backlogEnd } = this.#options;
    for (const one of this.#backlog) {
      if (this.#closed()) return;
      const seen = this.#view(one);
      if (seen !== undefined) yield seen;
      if (longWork.isOver) await longWork.next();
    }
    this.#backlog = [];
    if (backlogEnd !== undefined && !this.#closed()) yield backlogEnd;
  }

  /** What it is to this watcher, if anything. */
  #view(one: StoredVersion | CacheEvent): StreamedEvent | undefined {
    if (!(one instanceof CacheEvent)) return this.#matches(one) ? addedEvent(one) : undefined;
    return one.seen(this.#matches(one.previous), this.#matches(one.current));
  }

  #matches(version: StoredVersion | undefined): boolean {
    const { match } = this.#options;
    return version !== undefined && (match === undefined || match(version.object()));
  }

  /** Asked anew after each wait: the state changes under way. */
  #closed(): boolean {
    return this.#state === "closed";
  }
}
