/**
 * Drops what Go's encoder would not write: empty values of optional fields that are no pointers. `name: ""` and no name are one
 * thing to upstream, which decodes into structs and encodes those again; so they are one thing in what is stored, compared and owned.
 */
import type { Draft, KubeObject } from "./object.ts";
import { definition, type Definition, type FieldSchema } from "./schema/schema.ts";

type Json = Record<string, unknown>;

/** Changes the object, which nobody else may hold. Custom resources keep what they were sent with. */
export function omitEmpty(object: Draft<KubeObject>, definitionName: string): void {
  prune(object as unknown as Json, definition(definitionName));
}

function prune(value: Json, { fields }: Definition): void {
  for (const [key, child] of Object.entries(value)) {
    const schema = fields[key];
    if (schema === undefined) continue;
    if (schema.omitEmpty === true && isEmpty(child)) delete value[key];
    else within(child, schema);
  }
}

function within(value: unknown, schema: FieldSchema): void {
  if (typeof value !== "object" || value === null) return;
  switch (schema.type) {
    case "object":
      return prune(value as Json, definition(schema.ref as string));
    case "list":
      if ((schema.items as FieldSchema).type !== "object") return;
      for (const item of value as unknown[]) within(item, schema.items as FieldSchema);
      return;
    case "map":
      if ((schema.values as FieldSchema).type !== "object") return;
      for (const item of Object.values(value)) within(item, schema.values as FieldSchema);
      return;
    default:
  }
}

function isEmpty(value: unknown): boolean {
  if (value === "" || value === 0 || value === false) return true;
  if (typeof value !== "object" || value === null) return false;
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}
