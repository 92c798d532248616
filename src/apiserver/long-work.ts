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

/** Milliseconds a turn. One item more, and a collection of garbage, may come on top. */
const sliceMilliseconds = 2;
/** Who waits goes on in batches: each does at least one item before it looks at the time. */
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
    const due = this.#waiting.splice(0, batch);
    this.#end = due.length === 0 ? undefined : this.#now() + sliceMilliseconds;
    if (due.length > 0) this.#plan();
    for (const go of due) go();
  };
}

/** This thread's. */
export const longWork = new LongWork();
