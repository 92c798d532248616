/** Callbacks by due time: a binary heap. A cancelled one stays until it is due or most of the heap is such. */
import type { Timer } from "../../lib/clock.ts";

interface Entry {
  readonly due: number;
  readonly order: number;
  run: (() => void) | undefined;
}

export class Timers {
  #heap: Entry[] = [];
  #cancelled = 0;
  #order = 0;

  add(due: number, run: () => void): Timer {
    const entry: Entry = { due, order: this.#order++, run };
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    return {
      cancel: () => {
        if (entry.run === undefined) return;
        entry.run = undefined;
        this.#cancelled += 1;
        if (this.#cancelled > 64 && this.#cancelled * 2 > this.#heap.length) this.#compact();
      },
    };
  }

  /** When the next one is due; Infinity: none. */
  get next(): number {
    return this.#heap[0]?.due ?? Number.POSITIVE_INFINITY;
  }

  /** Runs what is due, the earliest first. What they add runs at the next call. */
  run(now: number): void {
    const until = this.#order;
    for (let first = this.#heap[0]; first !== undefined && first.due <= now && first.order < until; first = this.#heap[0]) {
      this.#takeFirst();
      const { run } = first;
      first.run = undefined;
      if (run === undefined) this.#cancelled -= 1;
      else run();
    }
  }

  #compact(): void {
    this.#heap = this.#heap.filter(({ run }) => run !== undefined).sort((a, b) => a.due - b.due || a.order - b.order);
    this.#cancelled = 0;
  }

  #takeFirst(): void {
    const last = this.#heap.pop() as Entry;
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#down(0);
  }

  #up(index: number): void {
    for (let at = index; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #down(index: number): void {
    for (let at = index; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let least = at;
      if (left < this.#heap.length && this.#before(left, least)) least = left;
      if (right < this.#heap.length && this.#before(right, least)) least = right;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #before(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a] as Entry, this.#heap[b] as Entry];
    return x.due < y.due || (x.due === y.due && x.order < y.order);
  }

  #swap(a: number, b: number): void {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b] as Entry, this.#heap[a] as Entry];
  }
}
