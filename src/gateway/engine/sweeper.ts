/**
 * Time limits of many connections at the price of one timer: each says until when it may stay, and once a second those whose
 * time is over are told. A limit so ends up to two seconds late, never early.
 */
import type { Clock, Timer } from "../../lib/clock.ts";
import { Roster, type Membership } from "../../lib/roster.ts";

export interface Expiring {
  /** In the sweeper's time; Infinity: no limit. */
  deadline: number;
  expire(): void;
}

const periodMs = 1000;

export class Sweeper {
  readonly #clock: Clock;
  readonly #members = new Roster<Expiring>();
  #timer: Timer | undefined;
  #now: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#now = clock.monotonic();
  }

  /** A deadline `ms` from now. */
  after(ms: number): number {
    // The time of the last sweep is up to a period old: the period more makes sure that nothing ends early.
    return this.#now + ms + periodMs;
  }

  /** What it gives is to be given to `remove`. */
  add(member: Expiring): Membership<Expiring> {
    if (this.#timer === undefined) {
      this.#now = this.#clock.monotonic();
      this.#arm();
    }
    return this.#members.add(member);
  }

  remove(membership: Membership<Expiring>): void {
    this.#members.remove(membership);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#members.clear();
  }

  #arm(): void {
    this.#timer = this.#clock.after(periodMs, () => this.#sweep());
  }

  #sweep(): void {
    this.#timer = undefined;
    this.#now = this.#clock.monotonic();
    for (const member of this.#members) if (member.deadline <= this.#now) member.expire();
    if (this.#members.size > 0) this.#arm();
  }
}
