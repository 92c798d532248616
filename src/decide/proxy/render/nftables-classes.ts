/**
 * The classes in use and their numbers. A class that nobody uses stays for a while: a Deployment that goes from 5 endpoints to 6
 * and back would make and remove its chains each time, and a change of chains is dearer than one of elements.
 */
import type { SetDeclaration } from "../../../lib/nftables/ruleset.ts";
import type { Journal } from "./journal.ts";
import type { ClassChain } from "./nftables-class.ts";
import { chainOperations, dropChain, refuseChain, type FamilyLayout } from "./nftables-layout.ts";
import type { OperationBuilder } from "./operations.ts";

interface ClassState {
  readonly mark: number;
  readonly chain: ClassChain;
  readonly uses: number;
}

/** Kept without users, per family. */
const maxUnused = 64;
/**
 * Classes share the mark with indices and endpoint ids, and must not be read as one: where a client is not remembered, the mark
 * still holds the class when the endpoint of that "id" is looked for. Indices and ids are below.
 */
const firstMark = 0x400_0000;

export class ClassTable {
  readonly #layout: FamilyLayout;
  readonly #journal: Journal;
  readonly #classes = new Map<string, ClassState>();
  /** Name → how many classes and chains lead to it. */
  readonly #chains = new Map<string, number>();
  /** Name of a class's own map → how many chains write it. */
  readonly #sets = new Map<string, number>();
  /** Longest unused first. */
  readonly #unused = new Map<string, true>();
  readonly #marks = new Map<number, string>();

  /** Chain → number, of classes that the kernel has already: who asks for one of these gets its number, and nobody else does. */
  readonly #former: ReadonlyMap<string, number>;
  readonly #formerMarks: ReadonlySet<number>;

  constructor(layout: FamilyLayout, journal: Journal, former: ReadonlyMap<string, number> = new Map()) {
    this.#layout = layout;
    this.#journal = journal;
    this.#former = former;
    this.#formerMarks = new Set(former.values());
  }

  /** All classes that there are, with their chains, as if they were new. */
  snapshot(builder: OperationBuilder): void {
    const made = new Set<string>();
    const make = (chain: ClassChain): void => {
      if (made.has(chain.name) || !this.#chains.has(chain.name)) return;
      made.add(chain.name);
      for (const next of chain.leadsTo) make(next);
      for (const set of chain.sets ?? []) builder.addChain([{ kind: "addSet", table: this.#layout.table, set }]);
      builder.addChain(chainOperations(this.#layout.table, chain.name, chain.rules));
    };
    for (const { mark, chain } of this.#classes.values()) {
      make(chain);
      builder.add(this.#layout.table, this.#layout.classes, { key: [mark], value: { kind: "goto", chain: chain.name } });
    }
  }

  /** The number of the class, which from now on has one user more. */
  acquire(chain: ClassChain, builder: OperationBuilder): number {
    const known = this.#classes.get(chain.name);
    const state = known ?? this.#create(chain, builder);
    this.#journal.set(this.#classes, chain.name, { ...state, uses: state.uses + 1 });
    if (this.#unused.has(chain.name)) this.#journal.delete(this.#unused, chain.name);
    return state.mark;
  }

  release(name: string, builder: OperationBuilder): void {
    const state = this.#classes.get(name) as ClassState;
    this.#journal.set(this.#classes, name, { ...state, uses: state.uses - 1 });
    if (state.uses > 1) return;
    this.#journal.set(this.#unused, name, true);
    if (this.#unused.size <= maxUnused) return;
    for (const oldest of this.#unused.keys()) return this.#remove(oldest, builder);
  }

  /** Removes those without users. */
  compact(builder: OperationBuilder): void {
    for (const name of [...this.#unused.keys()]) this.#remove(name, builder);
  }

  #create(chain: ClassChain, builder: OperationBuilder): ClassState {
    this.#use(chain, builder);
    const former = this.#former.get(chain.name);
    const mark = former === undefined || this.#marks.has(former) ? this.#freeMark() : former;
    this.#journal.set(this.#marks, mark, chain.name);
    builder.add(this.#layout.table, this.#layout.classes, { key: [mark], value: { kind: "goto", chain: chain.name } });
    return { mark, chain, uses: 0 };
  }

  #freeMark(): number {
    let mark = firstMark + this.#marks.size;
    while (this.#marks.has(mark) || this.#formerMarks.has(mark)) mark += 1;
    return mark;
  }

  #use(chain: ClassChain, builder: OperationBuilder): void {
    if (chain.name === refuseChain || chain.name === dropChain) return;
    const uses = this.#chains.get(chain.name) ?? 0;
    this.#journal.set(this.#chains, chain.name, uses + 1);
    if (uses > 0) return;
    for (const next of chain.leadsTo) this.#use(next, builder);
    for (const set of chain.sets ?? []) this.#useSet(set, builder);
    builder.addChain(chainOperations(this.#layout.table, chain.name, chain.rules));
  }

  #remove(name: string, builder: OperationBuilder): void {
    const { mark, chain } = this.#classes.get(name) as ClassState;
    builder.delete(this.#layout.table, this.#layout.classes, { key: [mark] });
    this.#journal.delete(this.#classes, name);
    this.#journal.delete(this.#unused, name);
    this.#journal.delete(this.#marks, mark);
    this.#unuse(chain, builder);
  }

  #unuse(chain: ClassChain, builder: OperationBuilder): void {
    if (chain.name === refuseChain || chain.name === dropChain) return;
    const uses = (this.#chains.get(chain.name) as number) - 1;
    if (uses > 0) return this.#journal.set(this.#chains, chain.name, uses);
    this.#journal.delete(this.#chains, chain.name);
    builder.deleteChain(this.#layout.table, chain.name);
    for (const set of chain.sets ?? []) this.#unuseSet(set, builder);
    for (const next of chain.leadsTo) this.#unuse(next, builder);
  }

  #useSet(set: SetDeclaration, builder: OperationBuilder): void {
    const uses = this.#sets.get(set.name) ?? 0;
    this.#journal.set(this.#sets, set.name, uses + 1);
    if (uses === 0) builder.addChain([{ kind: "addSet", table: this.#layout.table, set }]);
  }

  #unuseSet(set: SetDeclaration, builder: OperationBuilder): void {
    const uses = (this.#sets.get(set.name) as number) - 1;
    if (uses > 0) return this.#journal.set(this.#sets, set.name, uses);
    this.#journal.delete(this.#sets, set.name);
    builder.deleteSet(this.#layout.table, set);
  }
}
