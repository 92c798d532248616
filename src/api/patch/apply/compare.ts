/** Which fields an object has, and which differ between two versions of it. */
import type { FieldSchema } from "../../schema/schema.ts";
import { isObject, jsonEqual, ownKey } from "../json-value.ts";
import { isEmptySet, leaf, self, type FieldSet } from "./field-set.ts";
import { itemKey, shapeOf, valueKey } from "./typed.ts";

type Children = Record<string, FieldSet>;

/** All fields of an applied configuration: leaves, and keyed items themselves. */
export function fieldsOf(value: unknown, schema: FieldSchema | undefined): FieldSet {
  const shape = shapeOf(schema, value);
  const out: Children = {};
  switch (shape.kind) {
    case "leaf":
      return leaf;
    case "map":
      for (const [key, child] of Object.entries(value as object))
        if (child !== undefined) out[`f:${key}`] = fieldsOf(child, shape.child(key));
      return out;
    case "items":
      for (const item of value as readonly unknown[]) {
        const key = itemKey(item, shape.keys);
        if (key !== undefined) out[key] = { [self]: leaf, ...fieldsOf(item, shape.item) };
      }
      return out;
    case "set":
      for (const item of value as readonly unknown[]) out[valueKey(item)] = leaf;
      return out;
    default:
      return shape satisfies never;
  }
}

export interface Difference {
  /** Fields that are new or have another value, with the maps and lists that are new themselves. */
  readonly changed: FieldSet;
  /** Fields that are gone. */
  readonly removed: FieldSet;
}

/** From `before` to `after`. Cost: proportional to the parts that are not the same object in memory. */
export function compare(before: unknown, after: unknown, schema: FieldSchema | undefined): Difference {
  const [changed, removed]: [Children, Children] = [{}, {}];
  walk(before, after, schema, changed, removed);
  return { changed, removed };
}

function walk(before: unknown, after: unknown, schema: FieldSchema | undefined, changed: Children, removed: Children): void {
  for (const [key, old, now, child] of pairs(before, after, schema)) {
    if (old === now) continue;
    const absent = emptyOf(child);
    const { changed: added, removed: gone } = compareField(old ?? absent, now ?? absent, child);
    if (added !== undefined) changed[key] = added;
    if (gone !== undefined) removed[key] = gone;
  }
}

/** What is there even when nothing in it is set: nobody comes to own it by setting its first part. */
function emptyOf(schema: FieldSchema | undefined): object | undefined {
  if (schema?.always !== true) return undefined;
  return schema.type === "list" ? noItems : noFields;
}

const noFields = Object.freeze({});
const noItems = Object.freeze([]);

type Part = { readonly changed?: FieldSet; readonly removed?: FieldSet };

function compareField(old: unknown, now: unknown, schema: FieldSchema | undefined): Part {
  if (now === undefined) return { removed: whole(old, schema) };
  if (old === undefined) return { changed: whole(now, schema) };
  const [was, is] = [shapeOf(schema, old), shapeOf(schema, now)];
  if (was.kind === "leaf" || is.kind === "leaf" || was.kind !== is.kind) {
    return jsonEqual(old, now) ? {} : { changed: whole(now, schema) };
  }
  const [changed, removed]: [Children, Children] = [{}, {}];
  walk(old, now, schema, changed, removed);
  return { ...(isEmptySet(changed) ? {} : { changed }), ...(isEmptySet(removed) ? {} : { removed }) };
}

/** All of a value that came or went, structs, maps and lists themselves included. */
function whole(value: unknown, schema: FieldSchema | undefined): FieldSet {
  const shape = shapeOf(schema, value);
  if (shape.kind === "leaf") return leaf;
  const out: Children = {};
  for (const [key, , now, child] of pairs(undefined, value, schema)) out[key] = whole(now, child);
  return isEmptySet(out) ? leaf : { [self]: leaf, ...out };
}

/** The parts of two values side by side: element, before, after, schema of the part. */
function* pairs(
  before: unknown,
  after: unknown,
  schema: FieldSchema | undefined,
): Generator<readonly [string, unknown, unknown, FieldSchema | undefined]> {
  const shape = shapeOf(schema, after ?? before);
  if (shape.kind === "map") {
    const [old, now] = [isObject(before) ? before : {}, isObject(after) ? after : {}];
    for (const key of Object.keys(now)) yield [`f:${key}`, ownKey(old, key), ownKey(now, key), shape.child(key)];
    for (const key of Object.keys(old)) if (!Object.hasOwn(now, key)) yield [`f:${key}`, ownKey(old, key), undefined, shape.child(key)];
  } else if (shape.kind === "items") {
    yield* keyed(
      byKey(before, (item) => itemKey(item, shape.keys)),
      byKey(after, (item) => itemKey(item, shape.keys)),
      shape.item,
    );
  } else if (shape.kind === "set") {
    yield* keyed(byKey(before, valueKey), byKey(after, valueKey), undefined);
  }
}

function byKey(list: unknown, keyOf: (item: unknown) => string | undefined): ReadonlyMap<string, unknown> {
  const out = new Map<string, unknown>();
  for (const item of Array.isArray(list) ? list : []) {
    const key = keyOf(item);
    if (key !== undefined && !out.has(key)) out.set(key, item);
  }
  return out;
}

function* keyed(
  old: ReadonlyMap<string, unknown>,
  now: ReadonlyMap<string, unknown>,
  schema: FieldSchema | undefined,
): Generator<readonly [string, unknown, unknown, FieldSchema | undefined]> {
  for (const [key, item] of now) yield [key, old.get(key), item, schema];
  for (const [key, item] of old) if (!now.has(key)) yield [key, item, undefined, schema];
}
