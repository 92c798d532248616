/**
 * What takes long on the control thread is done in turns: all of it together takes a few milliseconds, then timers and sockets have
 * theirs. There is one for the thread, as there is one event loop: a hundred lists that each pause for themselves would all go on in
 * the same turn.
 *
 *     for (const item of items) {
 *       work(item);
 *       if (longWork.isOver) await longWork.next();
 *     }
 */

/** Milliseconds a turn. An item of each of a batch, and a collection of garbage, may come on top. */
const sliceMilliseconds = 2;
/** So many who wait go on at once: each does at least one item before it looks at the time. */
const batch = 8;

export class LongWork {
  readonly #now: () => number;
  readonly #waiting: (() => void)[] = [];
  #planned = false;
  /** When this turn's share is used up; undefined: nobody has worked in it. */
  #end: number | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get isOver(): boolean {
    const now = this.#now();
    if (this.#end !== undefined) return now >= this.#end;
    this.#end = now + sliceMilliseconds;
    this.#plan();
    return false;
  }

  /** In a later turn, behind those who wait already. */
  next(): Promise<void> {
    this.#plan();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#planned = false;
    this.#end = this.#waiting.length === 0 ? undefined : this.#now() + sliceMilliseconds;
    if (this.#end !== undefined) this.#go();
  };

  #go(): void {
    for (const go of this.#waiting.splice(0, batch)) go();
    // What they do is promises from end to end; a tick that is asked for by a promise comes when all promises of now are done.
    queueMicrotask(() => process.nextTick(this.#goOn));
  }

  readonly #goOn = (): void => {
    if (this.#waiting.length > 0 && this.#now() < (this.#end ?? 0)) this.#go();
    else this.#plan();
  };
}

/** This thread's. */
export const longWork = new LongWork();
