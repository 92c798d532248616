/** How a value's parts are told apart and owned: from the schema's list and map types (KEP-555, structured-merge-diff `typed`). */
import { definition, type FieldSchema } from "../../schema/schema.ts";
import { isObject, ownKey } from "../json-value.ts";

export type JsonMap = Readonly<Record<string, unknown>>;

/** What a value is to server-side apply. */
export type Shape =
  /** One owner for all of it. */
  | { readonly kind: "leaf" }
  /** A struct or a map: every key has its own owner. */
  | { readonly kind: "map"; readonly child: (key: string) => FieldSchema | undefined }
  /** A list whose items are told apart by keys. */
  | { readonly kind: "items"; readonly keys: readonly string[]; readonly item: FieldSchema | undefined }
  /** A list of scalars in which each is there once. */
  | { readonly kind: "set" };

const anything: FieldSchema = { type: "any" };
const atomic: Shape = { kind: "leaf" };

export function shapeOf(schema: FieldSchema | undefined, value: unknown): Shape {
  if (schema === undefined) return atomic;
  if (Array.isArray(value)) {
    if (schema.listType === "map") return { kind: "items", keys: schema.mapKeys ?? [], item: schema.items };
    return schema.listType === "set" ? { kind: "set" } : atomic;
  }
  if (!isObject(value) || schema.mapType === "atomic") return atomic;
  if (schema.type === "map") return { kind: "map", child: () => schema.values };
  if (schema.type !== "object" || schema.ref === undefined) return atomic;
  const { fields, mapType, preserveUnknown } = definition(schema.ref);
  if (mapType === "atomic") return atomic;
  return { kind: "map", child: (key) => (Object.hasOwn(fields, key) ? fields[key] : preserveUnknown === true ? anything : undefined) };
}

/** Keys that upstream's types fill in when they are left out (`+default="TCP"` on ports' protocols). */
const keyDefaults: Readonly<Record<string, unknown>> = { protocol: "TCP" };

/** `k:{"port":80,"protocol":"TCP"}`, keys in the order of their names; undefined when the item has none of them. */
export function itemKey(item: unknown, keys: readonly string[]): string | undefined {
  if (!isObject(item)) return undefined;
  const found: Record<string, unknown> = {};
  let any = false;
  for (const key of [...keys].sort()) {
    const own = ownKey(item, key);
    any ||= own !== undefined;
    const value = own ?? keyDefaults[key];
    if (value !== undefined) found[key] = value;
  }
  return any ? `k:${JSON.stringify(found)}` : undefined;
}

export function valueKey(value: unknown): string {
  return `v:${JSON.stringify(value)}`;
}
