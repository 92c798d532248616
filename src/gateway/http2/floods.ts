/**
 * What a stranger may do often but not always: an account that each such thing draws on and that time fills again. Against floods
 * that cost the sender little and us much (CVE-2019-9511 to 9518, rapid reset CVE-2023-44487, MadeYouReset CVE-2025-8671).
 */
export class Allowance {
  readonly #most: number;
  readonly #perSecond: number;
  #left: number;
  #filled: number;

  constructor({ most, perSecond }: { readonly most: number; readonly perSecond: number }, now: number) {
    this.#most = most;
    this.#perSecond = perSecond;
    this.#left = most;
    this.#filled = now;
  }

  /** `now`: milliseconds. False: it is used up. */
  draw(now: number): boolean {
    this.#left = Math.min(this.#most, this.#left + ((now - this.#filled) / 1000) * this.#perSecond);
    this.#filled = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
