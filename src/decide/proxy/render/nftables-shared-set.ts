/** A set of addresses of which several Services may hold the same: an element is there as long as one does. */
import type { SetDeclaration, Table } from "../../../lib/nftables/ruleset.ts";
import type { Journal } from "./journal.ts";
import type { OperationBuilder } from "./operations.ts";

export class SharedSet {
  readonly #table: Table;
  readonly #set: SetDeclaration;
  readonly #journal: Journal;
  /** Address → how many Services hold it. */
  readonly #holders = new Map<string, number>();

  /** Every part of the set's key is the address. */
  constructor(table: Table, set: SetDeclaration, journal: Journal) {
    this.#table = table;
    this.#set = set;
    this.#journal = journal;
  }

  /** What one Service holds changes from `before` to `after`. */
  change(before: ReadonlySet<string>, after: ReadonlySet<string>, builder: OperationBuilder): void {
    for (const ip of before) if (!after.has(ip)) this.#release(ip, builder);
    for (const ip of after) if (!before.has(ip)) this.#hold(ip, builder);
  }

  /** Everything that is held. */
  snapshot(builder: OperationBuilder): void {
    for (const ip of this.#holders.keys()) builder.add(this.#table, this.#set, { key: this.#set.key.map(() => ip) });
  }

  #hold(ip: string, builder: OperationBuilder): void {
    const holders = this.#holders.get(ip) ?? 0;
    this.#journal.set(this.#holders, ip, holders + 1);
    if (holders === 0) builder.add(this.#table, this.#set, { key: this.#set.key.map(() => ip) });
  }

  #release(ip: string, builder: OperationBuilder): void {
    const holders = this.#holders.get(ip) ?? 1;
    if (holders > 1) return this.#journal.set(this.#holders, ip, holders - 1);
    this.#journal.delete(this.#holders, ip);
    builder.delete(this.#table, this.#set, { key: this.#set.key.map(() => ip) });
  }
}
