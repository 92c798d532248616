/**
 * Strategic merge patch: a merge patch that knows from the schema which lists merge by a key (apimachinery
 * `pkg/util/strategicpatch`, and its document `strategic-merge-patch.md` for the directives).
 */
import { definition, type Definition, type FieldSchema } from "../schema/schema.ts";
import { inapplicablePatch, malformedPatch } from "./errors.ts";
import { isObject, jsonEqual, maxPatchDepth, ownKey, setKey } from "./json-value.ts";

type JsonMap = Readonly<Record<string, unknown>>;

const directive = "$patch";
const retainKeys = "$retainKeys";
const deleteFromList = "$deleteFromPrimitiveList/";
const elementOrder = "$setElementOrder/";

/** `type`: the name of the object's definition. Inputs are never changed. Throws 400 and 422 StatusErrors. */
export function strategicMergePatch(
  target: unknown,
  patch: unknown,
  type: string,
  definitionOf: (name: string) => Definition = definition,
): unknown {
  if (!isObject(patch)) throw malformedPatch("a strategic merge patch is an object");
  return mergeMap(isObject(target) ? target : {}, patch, { schema: { type: "object", ref: type }, definitionOf, depth: 0 });
}

/** Where in the type a merge is. */
interface Place {
  readonly schema: FieldSchema | undefined;
  readonly definitionOf: (name: string) => Definition;
  readonly depth: number;
}

function fieldOf({ schema, definitionOf }: Place, key: string): FieldSchema | undefined {
  if (schema?.type === "map") return schema.values;
  if (schema?.type !== "object" || schema.ref === undefined) return undefined;
  const { fields } = definitionOf(schema.ref);
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

function inside(place: Place, schema: FieldSchema | undefined): Place {
  return { ...place, schema, depth: place.depth + 1 };
}

function mergeMap(original: JsonMap, patch: JsonMap, place: Place): JsonMap {
  if (place.depth > maxPatchDepth) throw malformedPatch(`deeper than ${maxPatchDepth} levels`);
  const what = ownKey(patch, directive);
  if (what === "replace") return withoutDirectives(omit(patch, directive)) as JsonMap;
  if (what === "delete") return {};
  if (what !== undefined && what !== "merge") throw malformedPatch(`unrecognized ${directive} value: ${JSON.stringify(what)}`);
  const result: Record<string, unknown> = { ...original };
  const orders = new Map<string, readonly unknown[]>();
  for (const key of Object.keys(patch))
    if (key.startsWith(elementOrder)) orders.set(key.slice(elementOrder.length), list(ownKey(patch, key), key));
  for (const key of Object.keys(patch)) {
    const value = ownKey(patch, key);
    if (key === directive || key === retainKeys || key.startsWith(elementOrder)) continue;
    if (key.startsWith(deleteFromList)) removeFromList(result, key.slice(deleteFromList.length), list(value, key));
    else mergeKey(result, key, value, inside(place, fieldOf(place, key)), orders.get(key));
  }
  for (const [key, order] of orders) if (!Object.hasOwn(patch, key)) reorder(result, original, key, order, fieldOf(place, key));
  const retained = ownKey(patch, retainKeys);
  if (retained !== undefined) keepOnly(result, list(retained, retainKeys), patch);
  return result;
}

function list(value: unknown, key: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw malformedPatch(`${key} must be a list`);
}

function omit(map: JsonMap, key: string): JsonMap {
  const { [key]: _, ...rest } = map;
  return rest;
}

function keepOnly(result: Record<string, unknown>, retained: readonly unknown[], patch: JsonMap): void {
  for (const key of Object.keys(patch)) {
    if (!key.startsWith("$") && patch[key] !== null && !retained.includes(key))
      throw malformedPatch(`${key} is set but is not in the ${retainKeys} list`);
  }
  for (const key of Object.keys(result)) if (!retained.includes(key)) delete result[key];
}

function mergeKey(result: Record<string, unknown>, key: string, value: unknown, place: Place, order: readonly unknown[] | undefined): void {
  if (value === null) {
    delete result[key];
    return;
  }
  const current = ownKey(result, key);
  const strategies = place.schema?.patchStrategy ?? [];
  if (isObject(current) && isObject(value)) {
    setKey(result, key, strategies.includes("replace") ? withoutDirectives(value) : mergeMap(current, value, place));
  } else if (Array.isArray(value) && strategies.includes("merge")) {
    setKey(result, key, mergeList(Array.isArray(current) ? current : [], value, place, order));
  } else setKey(result, key, withoutDirectives(value));
}

function removeFromList(result: Record<string, unknown>, key: string, values: readonly unknown[]): void {
  const current = ownKey(result, key);
  if (Array.isArray(current)) result[key] = current.filter((item) => !values.some((value) => jsonEqual(item, value)));
}

function mergeList(
  original: readonly unknown[],
  patch: readonly unknown[],
  place: Place,
  order: readonly unknown[] | undefined,
): readonly unknown[] {
  const key = place.schema?.mergeKey;
  if (!patch.some(isObject)) {
    if (patch.length > 0 && original.some(isObject)) throw inapplicablePatch("a list of objects cannot be merged with a list of scalars");
    const merged = [...original, ...patch.filter((item, i) => !includes(original, item) && !includes(patch.slice(0, i), item))];
    return order === undefined ? merged : ordered(merged, order, original, jsonEqual);
  }
  if (key === undefined) throw inapplicablePatch("this list has no merge key");
  const items = patch.map((item) => {
    if (!isObject(item)) throw inapplicablePatch("a list of objects has a scalar among its items");
    return item;
  });
  if (items.some((item) => ownKey(item, directive) === "replace")) {
    return items
      .filter((item) => ownKey(item, directive) !== "replace" || Object.keys(item).length > 1)
      .map((item) => withoutDirectives(omit(item, directive)));
  }
  let merged: unknown[] = [...original];
  for (const item of items) {
    const id = ownKey(item, key);
    if (id === undefined) throw inapplicablePatch(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    const at = merged.findIndex((other) => isObject(other) && jsonEqual(ownKey(other, key), id));
    if (ownKey(item, directive) === "delete") merged = merged.filter((other) => !(isObject(other) && jsonEqual(ownKey(other, key), id)));
    else if (at < 0) merged.push(withoutDirectives(item));
    else merged[at] = mergeMap(merged[at] as JsonMap, item, inside(place, place.schema?.items));
  }
  return order === undefined ? merged : ordered(merged, order, original, sameKey(key));
}

const includes = (items: readonly unknown[], value: unknown) => items.some((item) => jsonEqual(item, value));

function sameKey(key: string): (a: unknown, b: unknown) => boolean {
  return (a, b) => isObject(a) && isObject(b) && jsonEqual(ownKey(a, key), ownKey(b, key));
}

function reorder(
  result: Record<string, unknown>,
  original: JsonMap,
  key: string,
  order: readonly unknown[],
  schema: FieldSchema | undefined,
): void {
  const current = ownKey(result, key);
  const before = ownKey(original, key);
  if (!Array.isArray(current)) return;
  result[key] = ordered(
    current,
    order,
    Array.isArray(before) ? before : [],
    schema?.mergeKey === undefined ? jsonEqual : sameKey(schema.mergeKey),
  );
}

/**
 * Items that `order` names stand in its order; the server's own items keep their place relative to them as far as both
 * are in `original`.
 */
function ordered(
  merged: readonly unknown[],
  order: readonly unknown[],
  original: readonly unknown[],
  same: (a: unknown, b: unknown) => boolean,
): readonly unknown[] {
  const place = (items: readonly unknown[], item: unknown) => items.findIndex((other) => same(other, item));
  const named = merged.filter((item) => place(order, item) >= 0).sort((a, b) => place(order, a) - place(order, b));
  const others = merged.filter((item) => place(order, item) < 0).sort((a, b) => place(original, a) - place(original, b));
  const out: unknown[] = [];
  while (named.length > 0 && others.length > 0) {
    const [mine, theirs] = [place(original, others[0]), place(original, named[0])];
    out.push(mine >= 0 && theirs >= 0 && mine < theirs ? others.shift() : named.shift());
  }
  return [...out, ...named, ...others];
}

/** What the patch adds, without its instructions and its nulls. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => !(isObject(item) && ownKey(item, directive) === "delete")).map(withoutDirectives);
  }
  if (!isObject(value)) return value;
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    if (key === directive || key === retainKeys || key.startsWith(deleteFromList) || key.startsWith(elementOrder) || value[key] === null)
      continue;
    setKey(out, key, withoutDirectives(value[key]));
  }
  return out;
}
