/**
 * What writers know of their objects, and what a watcher has seen of them: the two accounts that must agree whatever happened to
 * the server in between. Pure.
 */

/** One state of one object; `number` is what the writer put into it. */
export interface State {
  readonly number: number;
  readonly revision: number;
}

/** `undefined`: it does not exist. */
export type Known = State | undefined;

export interface Seen {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly name: string;
  readonly number: number;
  readonly revision: number;
}

/** The writers' account. A write that was not answered leaves its object with two possible states until somebody looks. */
export class Ledger {
  readonly #known = new Map<string, State>();
  /** What a write that nobody answered would have made: its number, or undefined for a delete. */
  readonly #unsure = new Map<string, number | undefined>();
  acknowledged = 0;
  unanswered = 0;
  /** Of acknowledged writes, in no order. */
  readonly revisions: number[] = [];

  get(name: string): Known {
    return this.#known.get(name);
  }

  get names(): readonly string[] {
    return [...this.#known.keys()];
  }

  isUnsure(name: string): boolean {
    return this.#unsure.has(name);
  }

  acknowledge(name: string, state: Known, revision: number | undefined = state?.revision): void {
    this.acknowledged += 1;
    if (revision !== undefined) this.revisions.push(revision);
    if (state === undefined) this.#known.delete(name);
    else this.#known.set(name, state);
  }

  leaveOpen(name: string, number: number | undefined): void {
    this.unanswered += 1;
    this.#unsure.set(name, number);
  }

  /** Compares with all that the server has, and takes over what became of the writes that were not answered. Gives what is wrong. */
  settle(listed: ReadonlyMap<string, State>): readonly string[] {
    const faults: string[] = [];
    for (const name of new Set([...this.#known.keys(), ...listed.keys(), ...this.#unsure.keys()])) {
      const [known, now] = [this.#known.get(name), listed.get(name)];
      const same = known?.number === now?.number && known?.revision === now?.revision;
      const happened = this.#unsure.has(name) && now?.number === this.#unsure.get(name) && (now?.revision ?? 0) !== known?.revision;
      if (!same && !happened) faults.push(`${name}: acknowledged ${shown(known)}, there is ${shown(now)}`);
      if (now === undefined) this.#known.delete(name);
      else this.#known.set(name, now);
    }
    this.#unsure.clear();
    return faults;
  }
}

const shown = (state: Known): string => (state === undefined ? "none" : `${state.number}@${state.revision}`);

/** The watcher's account. It resumes where it was, or lists again when it is told that it cannot. */
export class WatchAccount {
  #objects = new Map<string, State>();
  /** Everything up to here was seen; 0: nothing was, or the server does not know. */
  revision = 0;
  events = 0;
  resumed = 0;
  /** [from, to]: what a list covered because the window of events did not. */
  readonly relisted: (readonly [number, number])[] = [];
  readonly #seen = new Set<number>();

  list(objects: ReadonlyMap<string, State>, revision: number, since: number): void {
    this.#objects = new Map(objects);
    this.relisted.push([since, revision]);
    this.revision = revision;
  }

  /** Gives what is wrong with the event after all those before it, if anything. */
  take({ type, name, number, revision }: Seen): string | undefined {
    const before = this.#objects.get(name);
    const last = this.revision;
    if (type === "BOOKMARK") {
      this.revision = Math.max(last, revision);
      return revision < last ? `a bookmark of ${revision} after ${last}` : undefined;
    }
    this.events += 1;
    this.#seen.add(revision);
    this.revision = revision;
    if (type === "DELETED") this.#objects.delete(name);
    else this.#objects.set(name, { number, revision });
    if (revision <= last) return `${type} ${name}@${revision} after ${last}: again, or out of order`;
    if ((type === "ADDED") === (before !== undefined)) return `${type} ${name}@${revision}, which was ${shown(before)}`;
    return undefined;
  }

  /** Acknowledged writes that the watch neither told of nor covered by a list. */
  missed(revisions: readonly number[]): readonly number[] {
    return revisions.filter(
      (revision) =>
        revision <= this.revision && !this.#seen.has(revision) && !this.relisted.some(([from, to]) => from < revision && revision <= to),
    );
  }

  /** Where it differs from what the server has; both are of the same revision. */
  compare(listed: ReadonlyMap<string, State>): readonly string[] {
    return [...new Set([...listed.keys(), ...this.#objects.keys()])]
      .filter((name) => listed.get(name)?.revision !== this.#objects.get(name)?.revision)
      .map((name) => `the watch has ${shown(this.#objects.get(name))} of ${name}, the server ${shown(listed.get(name))}`);
  }
}
