/** Pauses between attempts: doubled each time, and scattered so that many clients do not come back together. */
export interface BackOffOptions {
  /** In [0, 1). */
  readonly random: () => number;
  /** The first pause in milliseconds. Default 50. */
  readonly first?: number;
  /** The longest, in milliseconds. Default 30,000, as client-go's reflector. */
  readonly longest?: number;
}

export class BackOff {
  readonly #random: () => number;
  readonly #first: number;
  readonly #longest: number;
  #attempts = 0;

  constructor(options: BackOffOptions) {
    this.#random = options.random;
    this.#first = options.first ?? 50;
    this.#longest = options.longest ?? 30_000;
  }

  /** The next pause, up to half of it taken away at random. */
  next(): number {
    const full = Math.min(this.#first * 2 ** this.#attempts, this.#longest);
    this.#attempts = Math.min(this.#attempts + 1, 30);
    return full * (1 - this.#random() / 2);
  }

  reset(): void {
    this.#attempts = 0;
  }
}
