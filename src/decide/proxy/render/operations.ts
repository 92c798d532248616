/**
 * Gathers the changes of many Services into one transaction of few, long messages: elements of the same set go together.
 * Within a transaction order matters only where a key goes and comes again, or a chain: then a new section begins.
 */
import type { Element, Operation, SetDeclaration, Table } from "../../../lib/nftables/ruleset.ts";

interface SetChange {
  readonly table: Table;
  readonly set: SetDeclaration;
  readonly deletes: Element[];
  readonly adds: Element[];
}

export class OperationBuilder {
  readonly #done: Operation[] = [];
  #chains: Operation[] = [];
  readonly #sets = new Map<SetDeclaration, SetChange>();
  #removals: Operation[] = [];
  #elements = 0;

  /** Elements added or deleted so far: the size of the transaction. */
  get elements(): number {
    return this.#elements;
  }

  /** Takes effect before elements change. */
  addChain(operations: readonly Operation[]): void {
    if (this.#removals.length > 0) this.#endSection();
    this.#chains.push(...operations);
  }

  /** Takes effect after elements have changed. */
  deleteChain(table: Table, chain: string): void {
    this.#removals.push({ kind: "deleteChain", table, chain });
  }

  deleteSet(table: Table, set: SetDeclaration): void {
    this.#removals.push({ kind: "deleteSet", table, set });
  }

  add(table: Table, set: SetDeclaration, element: Element): void {
    this.#change(table, set).adds.push(element);
    this.#elements++;
  }

  delete(table: Table, set: SetDeclaration, element: Element): void {
    if ((this.#sets.get(set)?.adds.length ?? 0) > 0) this.#endSection();
    this.#change(table, set).deletes.push(element);
    this.#elements++;
  }

  finish(): readonly Operation[] {
    this.#endSection();
    return this.#done;
  }

  #change(table: Table, set: SetDeclaration): SetChange {
    let change = this.#sets.get(set);
    if (change === undefined) this.#sets.set(set, (change = { table, set, deletes: [], adds: [] }));
    return change;
  }

  #endSection(): void {
    this.#done.push(...this.#chains);
    const changes = [...this.#sets.values()];
    for (const { table, set, deletes } of changes)
      if (deletes.length > 0) this.#done.push({ kind: "deleteElements", table, set, elements: deletes });
    for (const { table, set, adds } of changes) if (adds.length > 0) this.#done.push({ kind: "addElements", table, set, elements: adds });
    this.#done.push(...this.#removals);
    this.#chains = [];
    this.#sets.clear();
    this.#removals = [];
  }
}
