/**
 * What leads from a table as it is in the kernel to the table as it should be. Operations that build the table from nothing go through
 * `rest`, which leaves out what is there already; what nobody has asked for in the end is in `leftovers`. So an earlier proxy's table is
 * taken over without a gap, and a table that somebody has meddled with is mended. Pure; one table.
 */
import type { TableListing } from "../../../lib/nftables/listing.ts";
import { keyFrom, keyOf, valueOf } from "../../../lib/nftables/listing.ts";
import type { Element, Operation, SetDeclaration, Statement, Table } from "../../../lib/nftables/ruleset.ts";
import type { EndpointSet, PortPlan } from "../plan.ts";
import { localOffset, type FamilyLayout } from "./nftables-layout.ts";
import type { Slot } from "./nftables-placement.ts";
import type { FormerTable } from "./nftables-state.ts";

/** A part of the table is there and cannot be changed into what it should be: the table must be made anew. */
export class NotAdoptable extends Error {}

type ChainOperation = Operation & { readonly kind: "addChain" | "addRule" };
type ElementOperation = Operation & { readonly kind: "addElements" | "deleteElements" };

export class Adoption {
  readonly #table: Table;
  readonly #listing: TableListing;
  readonly #chains: Set<string>;
  readonly #sets: Set<string>;
  readonly #wantedChains = new Set<string>();
  readonly #wantedSets = new Map<string, SetDeclaration>();
  /** By set, what the kernel holds now. */
  readonly #present = new Map<string, Map<string, string>>();
  readonly #wanted = new Map<string, Set<string>>();

  constructor(table: Table, listing: TableListing) {
    this.#table = table;
    this.#listing = listing;
    this.#chains = new Set(listing.chains);
    this.#sets = new Set(listing.sets);
  }

  /** Throws NotAdoptable. */
  rest(operations: readonly Operation[]): readonly Operation[] {
    const done: Operation[] = [];
    for (let i = 0; i < operations.length; i++) {
      const operation = operations[i] as Operation;
      switch (operation.kind) {
        case "addTable":
        case "deleteTable":
          break;
        case "addSet":
          done.push(...this.#addSet(operation.set));
          break;
        case "addChain": {
          const rules: ChainOperation[] = [];
          while (operations[i + 1]?.kind === "addRule" && (operations[i + 1] as ChainOperation).chain === operation.chain)
            rules.push(operations[++i] as ChainOperation);
          done.push(...this.#addChain(operation, rules));
          break;
        }
        case "addRule":
        case "flushChain":
          throw new NotAdoptable(`a rule of ${operation.chain} apart from its chain`);
        case "deleteChain":
          this.#wantedChains.delete(operation.chain);
          if (this.#chains.delete(operation.chain)) done.push(operation);
          break;
        case "deleteSet":
          this.#wantedSets.delete(operation.set.name);
          this.#present.delete(operation.set.name);
          if (this.#sets.delete(operation.set.name)) done.push(operation);
          break;
        case "addElements":
          done.push(...this.#addElements(operation));
          break;
        case "deleteElements":
          done.push(...this.#deleteElements(operation));
          break;
        default:
          operation satisfies never;
      }
    }
    return done;
  }

  /** Transactions, to be made in order, after everything that is wanted has gone through `rest`. */
  leftovers(): readonly (readonly Operation[])[] {
    const served: Operation[] = [];
    const pointers: Operation[] = [];
    for (const [name, declaration] of this.#wantedSets) {
      const wanted = this.#wanted.get(name);
      const elements = [...this.#presentOf(name).keys()].filter((key) => wanted?.has(key) !== true);
      if (elements.length === 0 || declaration.flags?.includes("dynamic") === true) continue;
      const operation: Operation = {
        kind: "deleteElements",
        table: this.#table,
        set: declaration,
        elements: elements.map((key) => ({ key: keyFrom(key, declaration.key) })),
      };
      (declaration.value === "verdict" ? pointers : served).push(operation);
    }
    const chains = [...this.#chains].filter((chain) => !this.#wantedChains.has(chain));
    const sets = [...this.#sets].filter((set) => !this.#wantedSets.has(set));
    const structure: Operation[] = [
      ...pointers,
      ...chains.map((chain): Operation => ({ kind: "flushChain", table: this.#table, chain })),
      ...chains.map((chain): Operation => ({ kind: "deleteChain", table: this.#table, chain })),
      ...sets.map((name): Operation => ({ kind: "deleteSet", table: this.#table, set: { name, key: [] } })),
    ];
    return [served, structure].filter((operations) => operations.length > 0);
  }

  #addSet(set: SetDeclaration): readonly Operation[] {
    this.#wantedSets.set(set.name, set);
    if (!this.#sets.has(set.name)) {
      this.#sets.add(set.name);
      this.#present.set(set.name, new Map());
      return [{ kind: "addSet", table: this.#table, set }];
    }
    if (this.#listing.sameSet(set) === false) throw new NotAdoptable(`set ${set.name} is another`);
    return [];
  }

  #addChain(chain: ChainOperation & { readonly kind: "addChain" }, rules: readonly ChainOperation[]): readonly Operation[] {
    const again = this.#wantedChains.has(chain.chain);
    this.#wantedChains.add(chain.chain);
    if (!this.#chains.has(chain.chain)) {
      this.#chains.add(chain.chain);
      return [chain, ...rules];
    }
    if (again) return [];
    if (this.#listing.sameHook(chain.chain, chain.base) === false) throw new NotAdoptable(`chain ${chain.chain} hangs elsewhere`);
    const statements = rules.flatMap((rule): (readonly Statement[])[] => (rule.kind === "addRule" ? [rule.statements] : []));
    if (this.#listing.sameRules(chain.chain, statements)) return [];
    return [{ kind: "flushChain", table: this.#table, chain: chain.chain }, ...rules];
  }

  #addElements({ table, set, elements }: ElementOperation): readonly Operation[] {
    const present = this.#presentOf(set.name);
    const wanted = this.#wantedOf(set.name);
    const [replaced, added]: [Element[], Element[]] = [[], []];
    for (const element of elements) {
      const key = keyOf(element.key);
      const value = valueOf(element);
      const old = present.get(key);
      wanted.add(key);
      if (old === value) continue;
      if (old !== undefined) replaced.push({ key: element.key });
      present.set(key, value);
      added.push(element);
    }
    return [
      ...(replaced.length === 0 ? [] : [{ kind: "deleteElements" as const, table, set, elements: replaced }]),
      ...(added.length === 0 ? [] : [{ kind: "addElements" as const, table, set, elements: added }]),
    ];
  }

  #deleteElements({ table, set, elements }: ElementOperation): readonly Operation[] {
    const present = this.#presentOf(set.name);
    const gone = elements.filter(({ key }) => {
      this.#wanted.get(set.name)?.delete(keyOf(key));
      return present.delete(keyOf(key));
    });
    return gone.length === 0 ? [] : [{ kind: "deleteElements", table, set, elements: gone }];
  }

  #presentOf(set: string): Map<string, string> {
    let present = this.#present.get(set);
    if (present === undefined) this.#present.set(set, (present = new Map(this.#listing.elements(set))));
    return present;
  }

  #wantedOf(set: string): Set<string> {
    let wanted = this.#wanted.get(set);
    if (wanted === undefined) this.#wanted.set(set, (wanted = new Set()));
    return wanted;
  }
}

/** What the renderer must know of a former table, so that classes keep their numbers and endpoints their places. */
export function formerTable(layout: FamilyLayout, listing: TableListing): FormerTable {
  const classes = new Map<string, number>();
  for (const [mark, verdict] of listing.elements(layout.classes.name)) {
    const [, chain] = /^goto (.*)$/.exec(verdict) ?? [];
    if (chain !== undefined) classes.set(chain, Number(mark));
  }
  return { classes, slots: (protocol, address, port, set) => formerSlots(layout, listing, protocol, `${address} . ${port}`, set) };
}

function formerSlots(
  layout: FamilyLayout,
  listing: TableListing,
  protocol: PortPlan["protocol"],
  service: string,
  set: EndpointSet,
): readonly Slot[] {
  const endpoints = listing.elements(layout.endpoints[protocol].name);
  const ids = listing.elements(layout.endpointIds[protocol].name);
  const slots: Slot[] = [];
  for (let index = set === "local" ? localOffset : 0; ; index++) {
    const id = ids.get(`${service} . ${index}`);
    const found = endpoints.get(`${service} . ${id ?? index}`);
    if (found === undefined) return slots;
    const [ip = "", port = ""] = found.split(" . ");
    slots.push({ ip, port: Number(port), id: id === undefined ? 0 : Number(id) & 0xff_ffff, local: false });
  }
}
