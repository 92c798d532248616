/** Takes out of an object what its applier gave up (structured-merge-diff `merge/update.go`: prune). */
import type { FieldSchema } from "../../schema/schema.ts";
import { isObject, setKey } from "../json-value.ts";
import { isMember, type FieldSet } from "./field-set.ts";
import { itemKey, shapeOf, valueKey, type JsonMap } from "./typed.ts";

/**
 * `value` without what `last`, the applier's former set, has and `owned`, all present owners' sets together, has not. A thing
 * that goes takes along what is in it, such as the defaults of a probe or of a list's item; a map or list that this
 * empties goes too, unless somebody applied it empty. Inputs are never changed.
 */
export function prune(value: unknown, last: FieldSet, owned: FieldSet, schema: FieldSchema | undefined): unknown {
  const shape = shapeOf(schema, value);
  switch (shape.kind) {
    case "map":
      return pruneMap(value as JsonMap, last, owned, schema?.type === "object" ? hasPart : hasMember, shape.child);
    case "items":
      return (value as readonly unknown[]).flatMap((item) => {
        const key = itemKey(item, shape.keys);
        const kept = key === undefined ? item : part(item, key, last, owned, hasMember, shape.item);
        return kept === undefined ? [] : [kept];
      });
    case "set":
      return (value as readonly unknown[]).filter((item) => part(item, valueKey(item), last, owned, hasMember, undefined) !== undefined);
    case "leaf":
      return value;
    default:
      return shape satisfies never;
  }
}

/** Whether a set speaks of a part. */
type Has = (set: FieldSet, key: string) => boolean;

const hasMember: Has = (set, key) => Object.hasOwn(set, key) && isMember(set[key] as FieldSet);

/** Of a struct: its owner owns a field as soon as it owns something below the field. */
const hasPart: Has = (set, key) => Object.hasOwn(set, key);

function pruneMap(value: JsonMap, last: FieldSet, owned: FieldSet, has: Has, childOf: (key: string) => FieldSchema | undefined): JsonMap {
  const out: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    const kept = part(child, `f:${key}`, last, owned, has, childOf(key));
    if (kept !== undefined) setKey(out, key, kept);
  }
  return out;
}

/** undefined: it goes. */
function part(value: unknown, key: string, last: FieldSet, owned: FieldSet, has: Has, schema: FieldSchema | undefined): unknown {
  if (!hasPart(last, key)) return value;
  if (has(last, key) && !has(owned, key)) return undefined;
  const kept = prune(value, last[key] as FieldSet, owned[key] ?? {}, schema);
  return isEmpty(kept) && !isEmpty(value) && !hasMember(owned, key) ? undefined : kept;
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}
