/**
 * Who is there, where many come and go. A `Set` does that too, but each time its table is full it moves to another, and the one that is left
 * points there: left tables that have grown old keep all later ones, with everybody who was in them, until the next full collection of
 * garbage. Thousands of connections a second then cost more for garbage than for bytes.
 */

/** Somebody's place in a roster; given back to leave it. */
export interface Membership<T> {
  readonly member: T;
  /** Where it is now; -1: it has left. The roster's affair. */
  at: number;
}

export class Roster<T> {
  readonly #members: Membership<T>[] = [];

  get size(): number {
    return this.#members.length;
  }

  add(member: T): Membership<T> {
    const membership = { member, at: this.#members.length };
    this.#members.push(membership);
    return membership;
  }

  /** Once more does nothing. */
  remove(membership: Membership<T>): void {
    const { at } = membership;
    if (at < 0) return;
    membership.at = -1;
    const last = this.#members.pop() as Membership<T>;
    if (last === membership) return;
    last.at = at;
    this.#members[at] = last;
  }

  clear(): void {
    for (const membership of this.#members.splice(0)) membership.at = -1;
  }

  /** In no order, everybody who is there now and has not left when their turn comes. Who comes meanwhile may be left out. */
  *[Symbol.iterator](): Generator<T, void> {
    // From the end: who takes the place of one that leaves has had their turn.
    for (let at = this.#members.length - 1; at >= 0; at--) {
      const membership = this.#members[at];
      if (membership !== undefined) yield membership.member;
    }
  }
}
