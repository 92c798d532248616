/**
 * Cuts a change that is too long for one transaction into several, so that a connection made between two of them still finds its
 * Service whole, as it was or as it will be: first what nothing leads to yet, then the switch, last what nothing leads to any more.
 */
import type { Element, Operation } from "../../../lib/nftables/ruleset.ts";

type ElementOperation = Operation & { readonly kind: "addElements" | "deleteElements" };

/** `maxElements`: of one transaction. The switch itself is not cut: what changes at one key, and which Services there are. */
export function splitOperations(operations: readonly Operation[], maxElements: number): readonly (readonly Operation[])[] {
  if (countElements(operations) <= maxElements) return [operations];
  const replaced = replacedKeys(operations);
  const before: Operation[] = [];
  const during: Operation[] = [];
  const after: Operation[] = [];
  for (const operation of operations) {
    switch (operation.kind) {
      case "addElements":
      case "deleteElements":
        divide(operation, replaced, operation.kind === "addElements" ? before : after, during);
        break;
      case "deleteChain":
      case "deleteSet":
        after.push(operation);
        break;
      default:
        before.push(operation);
    }
  }
  return [...cut(before, maxElements), during, ...cut(after, maxElements)].filter((part) => part.length > 0);
}

export function countElements(operations: readonly Operation[]): number {
  return operations.reduce((sum, operation) => sum + ("elements" in operation ? operation.elements.length : 0), 0);
}

/** Only the endpoints' maps may be filled ahead and emptied afterwards: all others say what is served. */
const isEndpoints = ({ set }: ElementOperation) => set.name.startsWith("endpoint");

const keyOf = ({ table, set }: ElementOperation, { key }: Element) => `${table.family} ${set.name} ${key.join(" ")}`;

function replacedKeys(operations: readonly Operation[]): ReadonlySet<string> {
  const deleted = new Set<string>();
  const replaced = new Set<string>();
  for (const operation of operations) {
    if (operation.kind !== "addElements" && operation.kind !== "deleteElements") continue;
    for (const element of operation.elements) {
      const key = keyOf(operation, element);
      if (operation.kind === "deleteElements") deleted.add(key);
      else if (deleted.has(key)) replaced.add(key);
    }
  }
  return replaced;
}

function divide(operation: ElementOperation, replaced: ReadonlySet<string>, outside: Operation[], during: Operation[]): void {
  const free = isEndpoints(operation) ? operation.elements.filter((element) => !replaced.has(keyOf(operation, element))) : [];
  const bound =
    free.length === operation.elements.length
      ? []
      : operation.elements.filter((element) => !isEndpoints(operation) || replaced.has(keyOf(operation, element)));
  if (free.length > 0) outside.push({ ...operation, elements: free });
  if (bound.length > 0) during.push({ ...operation, elements: bound });
}

function cut(operations: readonly Operation[], maxElements: number): Operation[][] {
  const parts: Operation[][] = [[]];
  let room = maxElements;
  for (const operation of operations) {
    if (!("elements" in operation)) {
      (parts.at(-1) as Operation[]).push(operation);
      continue;
    }
    for (let from = 0; from < operation.elements.length;) {
      const elements = operation.elements.slice(from, from + room);
      (parts.at(-1) as Operation[]).push({ ...operation, elements });
      from += elements.length;
      room -= elements.length;
      if (room > 0) continue;
      parts.push([]);
      room = maxElements;
    }
  }
  return parts;
}
