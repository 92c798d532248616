/** Brings an applied configuration into a live object. */
import type { FieldSchema } from "../../schema/schema.ts";
import { ownKey, setKey } from "../json-value.ts";
import { itemKey, shapeOf, valueKey, type JsonMap } from "./typed.ts";

/** Applied values win; what only the live object has stays. Inputs are never changed. */
export function mergeApplied(live: unknown, applied: unknown, schema: FieldSchema | undefined): unknown {
  if (live === undefined || live === null) return applied;
  const [was, is] = [shapeOf(schema, live), shapeOf(schema, applied)];
  if (was.kind !== is.kind) return applied;
  switch (is.kind) {
    case "leaf":
      return applied;
    case "map":
      return mergeMaps(live as JsonMap, applied as JsonMap, is.child);
    case "items":
      return mergeLists(
        live as readonly unknown[],
        applied as readonly unknown[],
        (item) => itemKey(item, is.keys),
        (old, now) => mergeApplied(old, now, is.item),
      );
    case "set":
      return mergeLists(live as readonly unknown[], applied as readonly unknown[], valueKey, (_, now) => now);
    default:
      return is satisfies never;
  }
}

function mergeMaps(live: JsonMap, applied: JsonMap, child: (key: string) => FieldSchema | undefined): JsonMap {
  const out: Record<string, unknown> = { ...live };
  for (const key of Object.keys(applied)) {
    const value = ownKey(applied, key);
    if (value !== undefined) setKey(out, key, mergeApplied(ownKey(live, key), value, child(key)));
  }
  return out;
}

/**
 * Applied items stand in the applied order; an item that only the live list has stays behind the item that it stood
 * behind. Items without a key are kept where the live list has them.
 */
function mergeLists(
  live: readonly unknown[],
  applied: readonly unknown[],
  keyOf: (item: unknown) => string | undefined,
  merge: (old: unknown, now: unknown) => unknown,
): readonly unknown[] {
  const wanted = new Map(applied.map((item) => [keyOf(item), item]));
  const old = new Map<string, unknown>();
  const behind = new Map<string | undefined, unknown[]>();
  let anchor: string | undefined;
  for (const item of live) {
    const key = keyOf(item);
    if (key !== undefined && wanted.has(key) && !old.has(key)) {
      old.set(key, item);
      anchor = key;
    } else behind.set(anchor, [...(behind.get(anchor) ?? []), item]);
  }
  const out: unknown[] = [...(behind.get(undefined) ?? [])];
  for (const item of applied) {
    const key = keyOf(item);
    const before = key === undefined ? undefined : old.get(key);
    out.push(before === undefined ? item : merge(before, item));
    if (key !== undefined) out.push(...(behind.get(key) ?? []));
  }
  return out;
}
