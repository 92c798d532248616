/**
 * A set of numbers 0 … size-1 of which some are taken. Taking a certain one, taking any at random and giving one back
 * cost O(1) at any fill, and memory grows with what is taken, not with the size.
 *
 * The numbers stand in a permutation whose first `free` places hold the free ones; taking swaps a number to the border
 * and moves the border. Only places that differ from the identity are stored (Durstenfeld's shuffle, kept sparse).
 */
export class NumberPool {
  readonly size: number;
  #free: number;
  /** place → number, where they differ. */
  readonly #numbers = new Map<number, number>();
  /** number → place, where they differ. */
  readonly #places = new Map<number, number>();

  constructor(size: number) {
    this.size = size;
    this.#free = size;
  }

  /** How many numbers are free. */
  get free(): number {
    return this.#free;
  }

  isTaken(number: number): boolean {
    return this.#place(number) >= this.#free;
  }

  /** False when the number is taken already. */
  take(number: number): boolean {
    if (this.isTaken(number)) return false;
    this.#free -= 1;
    this.#swap(this.#place(number), this.#free);
    return true;
  }

  /** Any free number, each as likely as the others; `random` gives [0, 1). Undefined when none is free. */
  takeAny(random: () => number): number | undefined {
    if (this.#free === 0) return undefined;
    const number = this.#number(Math.min(Math.floor(random() * this.#free), this.#free - 1));
    this.take(number);
    return number;
  }

  /** Gives a number back; nothing happens when it is free. */
  release(number: number): void {
    if (!this.isTaken(number)) return;
    this.#swap(this.#place(number), this.#free);
    this.#free += 1;
  }

  #number(place: number): number {
    return this.#numbers.get(place) ?? place;
  }

  #place(number: number): number {
    return this.#places.get(number) ?? number;
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#number(a), this.#number(b)];
    this.#put(a, second);
    this.#put(b, first);
  }

  #put(place: number, number: number): void {
    if (place === number) {
      this.#numbers.delete(place);
      this.#places.delete(number);
    } else {
      this.#numbers.set(place, number);
      this.#places.set(number, place);
    }
  }
}

/**
 * A pool in two bands (KEP-3070, KEP-3668): whoever names a value takes it from anywhere, whoever takes any gets one from the
 * upper, dynamic band while there is one. So the low values stay free for people who choose by hand.
 */
export class BandedPool {
  readonly size: number;
  readonly #static: NumberPool;
  readonly #dynamic: NumberPool;

  constructor(size: number, staticSize: number) {
    this.size = size;
    this.#static = new NumberPool(staticSize);
    this.#dynamic = new NumberPool(size - staticSize);
  }

  get free(): number {
    return this.#static.free + this.#dynamic.free;
  }

  take(number: number): boolean {
    return number < this.#static.size ? this.#static.take(number) : this.#dynamic.take(number - this.#static.size);
  }

  isTaken(number: number): boolean {
    return number < this.#static.size ? this.#static.isTaken(number) : this.#dynamic.isTaken(number - this.#static.size);
  }

  takeAny(random: () => number): number | undefined {
    const upper = this.#dynamic.takeAny(random);
    return upper === undefined ? this.#static.takeAny(random) : upper + this.#static.size;
  }

  release(number: number): void {
    if (number < this.#static.size) this.#static.release(number);
    else this.#dynamic.release(number - this.#static.size);
  }
}

/** How large the static band of a range is: a `1/step` of it, within bounds; small ranges have none. */
export function staticBand(
  size: number,
  { min, max, step }: { readonly min: number; readonly max: number; readonly step: number },
): number {
  if (size < min) return 0;
  return Math.min(Math.max(Math.floor(size / step), min), max);
}

export type Allocated<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "exhausted" }
  | { readonly kind: "conflict" }
  | { readonly kind: "outOfRange" };
