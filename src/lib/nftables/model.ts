/**
 * A ruleset in memory that takes transactions as the kernel does: all or nothing, refusing what the kernel refuses. The fake
 * behind `host/nftables`, what a golden prints, and what a packet is traced through.
 */
import type { Atom, BaseHook, Element, Operation, SetDeclaration, Statement, Table } from "./ruleset.ts";
import { isVerdict } from "./text.ts";

export interface ChainState {
  readonly base?: BaseHook;
  readonly rules: (readonly Statement[])[];
}

/** `expires`: seconds, of the clock that `evaluate` is given. */
export type StoredElement = Element & { readonly expires?: number };

export interface SetState {
  readonly declaration: SetDeclaration;
  /** By `keyText`. */
  readonly elements: Map<string, StoredElement>;
}

export interface TableState {
  readonly table: Table;
  readonly chains: Map<string, ChainState>;
  readonly sets: Map<string, SetState>;
}

/** As the kernel's answer: `code` is the errno's name. */
export class RulesetError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(`${code} ${message}`);
    this.name = "RulesetError";
    this.code = code;
  }
}

export class Ruleset {
  #tables = new Map<string, TableState>();

  tables(): Iterable<TableState> {
    return this.#tables.values();
  }

  table({ family, name }: Table): TableState | undefined {
    return this.#tables.get(`${family} ${name}`);
  }

  /** Throws a RulesetError and leaves everything as it was. */
  commit(operations: Iterable<Operation>): void {
    const before = this.#tables;
    this.#tables = new Map([...before].map(([key, state]) => [key, copy(state)]));
    try {
      for (const operation of operations) this.#apply(operation);
      this.#checkJumps();
    } catch (error) {
      this.#tables = before;
      throw error;
    }
  }

  #apply(operation: Operation): void {
    const { table } = operation;
    const key = `${table.family} ${table.name}`;
    switch (operation.kind) {
      case "addTable":
        if (!this.#tables.has(key)) this.#tables.set(key, { table, chains: new Map(), sets: new Map() });
        return;
      case "deleteTable":
        if (!this.#tables.delete(key)) throw new RulesetError("ENOENT", `delete table ${key}`);
        return;
      default:
        return applyToTable(this.#require(key), operation);
    }
  }

  #require(key: string): TableState {
    const state = this.#tables.get(key);
    if (state === undefined) throw new RulesetError("ENOENT", `no table ${key}`);
    return state;
  }

  /** The kernel counts who leads to a chain and does not let one go that is in use. */
  #checkJumps(): void {
    for (const { chains, sets } of this.#tables.values()) {
      const rules = [...chains.values()].flatMap(({ rules }) => rules.flat());
      for (const name of rules.flatMap(setsNamed))
        if (!sets.has(name)) throw new RulesetError("EBUSY", `set ${name} is in use or not there`);
      const used = new Set(
        rules.flatMap((statement) => (statement.kind === "verdict" && "chain" in statement.verdict ? statement.verdict.chain : [])),
      );
      for (const { declaration, elements } of sets.values()) {
        if (declaration.value !== "verdict") continue;
        for (const { value } of elements.values()) if (value !== undefined && isVerdict(value) && "chain" in value) used.add(value.chain);
      }
      for (const chain of used) if (!chains.has(chain)) throw new RulesetError("EBUSY", `chain ${chain} is in use or not there`);
    }
  }
}

function copy({ table, chains, sets }: TableState): TableState {
  return {
    table,
    chains: new Map([...chains].map(([name, { rules, ...rest }]) => [name, { ...rest, rules: [...rules] }])),
    sets: new Map([...sets].map(([name, { declaration, elements }]) => [name, { declaration, elements: new Map(elements) }])),
  };
}

function applyToTable(state: TableState, operation: Exclude<Operation, { kind: "addTable" | "deleteTable" }>): void {
  switch (operation.kind) {
    case "addChain":
      if (!state.chains.has(operation.chain))
        state.chains.set(operation.chain, { rules: [], ...(operation.base === undefined ? {} : { base: operation.base }) });
      return;
    case "deleteChain":
      if (!state.chains.delete(operation.chain)) throw new RulesetError("ENOENT", `delete chain ${operation.chain}`);
      return;
    case "flushChain":
      if (!state.chains.has(operation.chain)) throw new RulesetError("ENOENT", `flush chain ${operation.chain}`);
      state.chains.get(operation.chain)?.rules.splice(0);
      return;
    case "addSet":
      if (!state.sets.has(operation.set.name)) state.sets.set(operation.set.name, { declaration: operation.set, elements: new Map() });
      return;
    case "deleteSet":
      if (!state.sets.delete(operation.set.name)) throw new RulesetError("ENOENT", `delete set ${operation.set.name}`);
      return;
    case "addRule":
      return addRule(state, operation.chain, operation.statements);
    case "addElements":
      return addElements(setOf(state, operation.set.name), operation.elements);
    case "deleteElements":
      return deleteElements(setOf(state, operation.set.name), operation.elements);
    default:
      return operation satisfies never;
  }
}

function addRule(state: TableState, chain: string, statements: readonly Statement[]): void {
  const found = state.chains.get(chain);
  if (found === undefined) throw new RulesetError("ENOENT", `add rule: no chain ${chain}`);
  for (const name of statements.flatMap(setsNamed)) setOf(state, name);
  found.rules.push(statements);
}

function setsNamed(statement: Statement): string[] {
  if ("set" in statement) return [statement.set];
  if ("map" in statement) return [statement.map];
  return statement.kind === "setMark" && statement.to.kind === "map" ? [statement.to.map] : [];
}

function setOf(state: TableState, name: string): SetState {
  const found = state.sets.get(name);
  if (found === undefined) throw new RulesetError("ENOENT", `no set ${name}`);
  return found;
}

/** An element that is there with the same value is let pass (no NLM_F_EXCL); with another the kernel says EEXIST. */
function addElements({ declaration, elements }: SetState, added: readonly Element[]): void {
  for (const element of added) {
    const key = keyText(element.key);
    const old = elements.get(key);
    if (old !== undefined && JSON.stringify(old.value) !== JSON.stringify(element.value))
      throw new RulesetError("EEXIST", `add element ${declaration.name} ${key}`);
    elements.set(key, element);
  }
}

function deleteElements({ declaration, elements }: SetState, gone: readonly Element[]): void {
  for (const { key } of gone)
    if (!elements.delete(keyText(key))) throw new RulesetError("ENOENT", `delete element ${declaration.name} ${keyText(key)}`);
}

export function keyText(key: readonly Atom[]): string {
  return key.join(" . ");
}
