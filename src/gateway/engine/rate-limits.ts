/**
 * How often a client may ask: a leaky bucket for each route and address, kept as one number (GCRA): when the next request is due.
 * Bounded: beyond so many clients those longest idle are forgotten, which only means that they begin anew.
 */

const maxClients = 100_000;

export class RateLimits {
  /** Route and address → when its bucket is empty, in milliseconds. */
  readonly #due = new Map<string, number>();

  /** `now`: milliseconds, monotonic. `burst`: requests that may come at once beyond the rate. */
  allows(key: string, { perSecond, burst }: { readonly perSecond: number; readonly burst: number }, now: number): boolean {
    const interval = 1000 / perSecond;
    const due = Math.max(this.#due.get(key) ?? 0, now);
    if (due - now > burst * interval) return false;
    // Set anew, so that the order of the map is that of their last requests.
    this.#due.delete(key);
    this.#due.set(key, due + interval);
    if (this.#due.size > maxClients) for (const oldest of this.#due.keys()) return this.#due.delete(oldest);
    return true;
  }
}
