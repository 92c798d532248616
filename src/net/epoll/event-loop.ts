/**
 * An event loop on epoll(7) for a thread that does nothing but move bytes. Descriptors are watched edge-triggered and for
 * everything from their first moment, so that no call ever changes what is watched: whoever watches remembers what is possible.
 *
 * It runs in turns of Node's own loop (`setImmediate`): promises settle and messages arrive between them. While there is nothing
 * to do the thread waits in `epoll_wait`; Node's own timers and sockets of this thread then wait with it, which is why timers come from
 * `clock`.
 */
import type { Clock, Timer } from "../../lib/clock.ts";
import * as c from "../../host/syscalls/constants.ts";
import { loadLibc, type Libc } from "../../host/syscalls/libc.ts";
import { Timers } from "./timers.ts";

/** Who is told what the kernel says of a descriptor: EPOLLIN, EPOLLOUT, … */
export interface Watcher {
  onEvents(events: number): void;
}

interface Watched {
  readonly watcher: Watcher;
  /** Tells the events of a descriptor from those of an earlier one with the same number. */
  readonly generation: number;
}

const eventsAtOnce = 256;
const longestKeptView = 2048;

/** One that runs; undefined where there is no FFI. */
export function openEventLoop(clock: Pick<Clock, "now" | "monotonic">, longestWaitMs?: number): EventLoop | undefined {
  const libc = loadLibc();
  if (libc === undefined) return undefined;
  const loop = new EventLoop(libc, clock, longestWaitMs);
  loop.start();
  return loop;
}

export class EventLoop {
  readonly libc: Libc;
  /** Its timers run in this loop's turns. */
  readonly clock: Clock;
  /** What sockets read into and write text from: used by one at a time, for the length of a call. */
  readonly readBuffer = Buffer.allocUnsafeSlow(65_536);
  readonly textBuffer = Buffer.allocUnsafeSlow(65_536);
  readonly #readViews: Buffer[] = [];
  readonly #textViews: Buffer[] = [];
  readonly #epoll: number;
  readonly #events: Uint8Array;
  readonly #words: Int32Array;
  readonly #event: Uint8Array;
  readonly #eventWords: Int32Array;
  readonly #timers = new Timers();
  readonly #watched: (Watched | undefined)[] = [];
  #deferred: (() => void)[] = [];
  #atTurnEnd: (() => void) | undefined;
  readonly #longestWaitMs: number;
  #generation = 0;
  #state: "new" | "running" | "stopped" = "new";

  /** `longestWaitMs`: Node's own loop gets a turn this often even if nothing happens here. */
  constructor(libc: Libc, clock: Pick<Clock, "now" | "monotonic">, longestWaitMs = 1000) {
    this.libc = libc;
    this.#longestWaitMs = longestWaitMs;
    this.#epoll = libc.epollCreate();
    this.#events = new Uint8Array(new ArrayBuffer(libc.epollEvent.bytes * eventsAtOnce));
    this.#words = new Int32Array(this.#events.buffer);
    this.#event = new Uint8Array(new ArrayBuffer(libc.epollEvent.bytes));
    this.#eventWords = new Int32Array(this.#event.buffer);
    this.clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after: (ms, run): Timer => this.#timers.add(clock.monotonic() + ms, run),
    };
  }

  /** The first bytes of `readBuffer`. The same view each time for short ones: making one costs more than most of what is done with it. */
  read(length: number): Buffer {
    if (length > longestKeptView) return this.readBuffer.subarray(0, length);
    return (this.#readViews[length] ??= this.readBuffer.subarray(0, length));
  }

  /** Likewise of `textBuffer`. */
  text(length: number): Buffer {
    if (length > longestKeptView) return this.textBuffer.subarray(0, length);
    return (this.#textViews[length] ??= this.textBuffer.subarray(0, length));
  }

  /** Latin-1 text and bytes behind it, in `textBuffer` where they fit. */
  joined(text: string, bytes: Buffer): Buffer {
    const length = text.length + bytes.length;
    if (length > this.textBuffer.length) return Buffer.concat([Buffer.from(text, "latin1"), bytes]);
    bytes.copy(this.textBuffer, this.textBuffer.write(text, 0, "latin1"));
    return this.text(length);
  }

  /** `events`: by default everything, each change once. */
  watch(fd: number, watcher: Watcher, events: number = c.EPOLLIN | c.EPOLLOUT | c.EPOLLRDHUP | c.EPOLLET): void {
    this.#generation = (this.#generation + 1) & 0x7fff_ffff;
    const data = this.libc.epollEvent.dataOffset >> 2;
    this.#eventWords[0] = events | 0;
    this.#eventWords[data] = fd;
    this.#eventWords[data + 1] = this.#generation;
    this.libc.epollControl(this.#epoll, c.EPOLL_CTL_ADD, fd, this.#event);
    this.#watched[fd] = { watcher, generation: this.#generation };
  }

  /** A turn comes whenever somebody writes to this eventfd. Every write is an edge, so it never needs to be read. */
  wakeBy(eventfd: number): void {
    this.watch(eventfd, { onEvents: () => {} }, c.EPOLLIN | c.EPOLLET);
  }

  /** Runs it at the end of every turn; replaces the last. */
  atTurnEnd(run: () => void): void {
    this.#atTurnEnd = run;
  }

  /** Before the descriptor is closed, which takes it out of the kernel's set. */
  forget(fd: number): void {
    this.#watched[fd] = undefined;
  }

  /** Runs it in the next turn, which then does not wait. */
  defer(run: () => void): void {
    this.#deferred.push(run);
  }

  start(): void {
    if (this.#state !== "new") return;
    this.#state = "running";
    setImmediate(this.#turn);
  }

  /** After the turn under way. Descriptors that are still watched stay open: whoever opened them closes them. */
  stop(): void {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    this.libc.close(this.#epoll);
  }

  readonly #turn = () => {
    if (this.#state !== "running") return;
    this.#dispatch(this.libc.epollWait(this.#epoll, this.#events, this.#waitMs()));
    this.#timers.run(this.clock.monotonic());
    if (this.#deferred.length > 0) this.#runDeferred();
    this.#atTurnEnd?.();
    setImmediate(this.#turn);
  };

  #waitMs(): number {
    if (this.#deferred.length > 0) return 0;
    const { next } = this.#timers;
    if (next === Number.POSITIVE_INFINITY) return this.#longestWaitMs;
    return Math.max(0, Math.min(this.#longestWaitMs, Math.ceil(next - this.clock.monotonic())));
  }

  #dispatch(count: number): void {
    const words = this.libc.epollEvent.bytes >> 2;
    const data = this.libc.epollEvent.dataOffset >> 2;
    for (let i = 0; i < count; i++) {
      const at = i * words;
      const watched = this.#watched[this.#words[at + data] as number];
      // Gone, or replaced by another with its number, since the kernel wrote this.
      if (watched === undefined || watched.generation !== this.#words[at + data + 1]) continue;
      watched.watcher.onEvents(this.#words[at] as number);
    }
  }

  #runDeferred(): void {
    const now = this.#deferred;
    this.#deferred = [];
    for (const run of now) run();
  }
}
