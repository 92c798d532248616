/** Keyed lists and sets of an applied configuration: who owns an item can only be told when each is there once. */
import type { FieldSchema } from "../../schema/schema.ts";
import { elementText } from "./field-set.ts";
import { itemKey, shapeOf, valueKey, type JsonMap } from "./typed.ts";

/** The first fault, in the words of structured-merge-diff; undefined when there is none. */
export function listFault(value: unknown, schema: FieldSchema | undefined, path = ""): string | undefined {
  const shape = shapeOf(schema, value);
  switch (shape.kind) {
    case "map":
      return firstOf(Object.entries(value as JsonMap), ([key, child]) => listFault(child, shape.child(key), `${path}.${key}`));
    case "items": {
      const items = value as readonly unknown[];
      const keys = items.map((item) => itemKey(item, shape.keys));
      const keyless = keys.indexOf(undefined);
      if (keyless >= 0) {
        const names = shape.keys.map((name) => JSON.stringify(name)).join(", ");
        return `${path}: element ${keyless}: associative list with keys has an element that omits key field ${names} (and doesn't have default value)`;
      }
      return (
        duplicateOf(keys as readonly string[], path) ??
        firstOf(items, (item, i) => listFault(item, shape.item, path + elementText(keys[i] as string)))
      );
    }
    case "set":
      return duplicateOf((value as readonly unknown[]).map(valueKey), path);
    case "leaf":
      return undefined;
    default:
      return shape satisfies never;
  }
}

function duplicateOf(keys: readonly string[], path: string): string | undefined {
  const seen = new Set<string>();
  for (const key of keys) {
    if (seen.has(key)) return `${path}: duplicate entries for key ${elementText(key)}`;
    seen.add(key);
  }
  return undefined;
}

function firstOf<T>(items: readonly T[], fault: (item: T, i: number) => string | undefined): string | undefined {
  for (const [i, item] of items.entries()) {
    const found = fault(item, i);
    if (found !== undefined) return found;
  }
  return undefined;
}
