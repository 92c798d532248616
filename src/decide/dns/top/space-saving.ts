/**
 * The most frequent of a stream of keys, with a fixed number of counters: a key that is new when all are taken replaces the least
 * frequent one and inherits its count, so no frequent key is missed and no count is too low (Metwally, Agrawal, El Abbadi:
 * "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005).
 */
export interface Counted<V> {
  readonly key: string;
  count: number;
  /** By how much `count` may be too high. */
  readonly error: number;
  readonly value: V;
}

export class SpaceSaving<V> {
  readonly #capacity: number;
  readonly #make: () => V;
  readonly #counters = new Map<string, Counted<V>>();

  /** `make`: what is kept beside a key's count, from when it gets a counter. */
  constructor(capacity: number, make: () => V) {
    this.#capacity = capacity;
    this.#make = make;
  }

  add(key: string, times: number): V {
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      const replaced = this.#counters.size >= this.#capacity ? this.#least() : undefined;
      if (replaced !== undefined) this.#counters.delete(replaced.key);
      const error = replaced?.count ?? 0;
      this.#counters.set(key, (counter = { key, count: error, error, value: this.#make() }));
    }
    counter.count += times;
    return counter.value;
  }

  get(key: string): V | undefined {
    return this.#counters.get(key)?.value;
  }

  /** The most frequent first. */
  top(): readonly Counted<V>[] {
    return [...this.#counters.values()].sort((a, b) => b.count - a.count);
  }

  /** All of them are looked at: there are few, and only a new key asks. */
  #least(): Counted<V> | undefined {
    let least: Counted<V> | undefined;
    for (const counter of this.#counters.values()) if (least === undefined || counter.count < least.count) least = counter;
    return least;
  }
}
