/** From the chains and sets that the kernel has to those that it should have: one transaction, in an order that it takes. */
import type { Element, Operation, SetDeclaration, Table } from "../../lib/nftables/ruleset.ts";
import type { Part, SetContent } from "./render.ts";

export interface PartChange {
  readonly before: Part | undefined;
  readonly after: Part | undefined;
}

/** Elements of a map or set that stands all the time. */
export interface ElementChange {
  readonly set: SetDeclaration;
  readonly before: readonly Element[];
  readonly after: readonly Element[];
}

export function diffParts(table: Table, parts: readonly PartChange[], standing: readonly ElementChange[]): readonly Operation[] {
  const changed = parts.filter(({ before, after }) => JSON.stringify(before?.rules) !== JSON.stringify(after?.rules));
  const sets = parts.flatMap(({ before, after }) => setChanges(before?.sets ?? [], after?.sets ?? []));
  const [news, goners] = [sets.filter(({ before }) => before === undefined), sets.filter(({ after }) => after === undefined)];
  const kept = [
    ...standing,
    ...sets.flatMap(({ before, after }) =>
      before === undefined || after === undefined
        ? []
        : [{ set: after.declaration, before: before.elements, after: after.elements } satisfies ElementChange],
    ),
  ].map((change) => ({ set: change.set, ...diffElements(change) }));
  return [
    ...news.map(({ after }): Operation => ({ kind: "addSet", table, set: (after as SetContent).declaration })),
    ...changed.flatMap(({ before, after }): Operation[] => addedChain(table, before, after)),
    ...changed.flatMap(({ before }): Operation[] => (before === undefined ? [] : [{ kind: "flushChain", table, chain: before.chain }])),
    ...kept.flatMap(({ set, gone }): Operation[] => (gone.length === 0 ? [] : [{ kind: "deleteElements", table, set, elements: gone }])),
    ...changed.flatMap(({ after }): Operation[] =>
      (after?.rules ?? []).map((statements) => ({ kind: "addRule", table, chain: (after as Part).chain, statements })),
    ),
    ...news.flatMap(({ after }): Operation[] => addedElements(table, (after as SetContent).declaration, (after as SetContent).elements)),
    ...kept.flatMap(({ set, added }) => addedElements(table, set, added)),
    ...changed.flatMap(({ before, after }): Operation[] =>
      before === undefined || after !== undefined ? [] : [{ kind: "deleteChain", table, chain: before.chain }],
    ),
    ...goners.map(({ before }): Operation => ({ kind: "deleteSet", table, set: (before as SetContent).declaration })),
  ];
}

function addedChain(table: Table, before: Part | undefined, after: Part | undefined): Operation[] {
  return before !== undefined || after === undefined ? [] : [{ kind: "addChain", table, chain: after.chain }];
}

function addedElements(table: Table, set: SetDeclaration, elements: readonly Element[]): Operation[] {
  return elements.length === 0 ? [] : [{ kind: "addElements", table, set, elements }];
}

interface SetChange {
  readonly before: SetContent | undefined;
  readonly after: SetContent | undefined;
}

function setChanges(before: readonly SetContent[], after: readonly SetContent[]): SetChange[] {
  const found = new Map(before.map((set) => [set.declaration.name, set]));
  const changes: SetChange[] = after.map((set) => ({ before: found.get(set.declaration.name), after: set }));
  const stay = new Set(after.map(({ declaration }) => declaration.name));
  return [...changes, ...before.filter(({ declaration }) => !stay.has(declaration.name)).map((set) => ({ before: set, after: undefined }))];
}

function diffElements({ before, after }: ElementChange): { readonly gone: readonly Element[]; readonly added: readonly Element[] } {
  const textOf = ({ key, value }: Element) => JSON.stringify([key, value]);
  const [had, wants] = [new Set(before.map(textOf)), new Set(after.map(textOf))];
  return { gone: before.filter((one) => !wants.has(textOf(one))), added: after.filter((one) => !had.has(textOf(one))) };
}
