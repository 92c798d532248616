/** Fills in the defaults of a structural schema (apiextensions-apiserver `pkg/apiserver/schema/defaulting`). Changes `value` in place. */
import type { JsonSchema } from "./json-schema.ts";

type Json = Record<string, unknown>;

export function applySchemaDefaults(value: unknown, schema: JsonSchema): void {
  if (Array.isArray(value)) {
    if (schema.items !== undefined) for (const item of value) applySchemaDefaults(item, schema.items);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const object = value as Json;
  const { properties = {}, additionalProperties } = schema;
  for (const [key, child] of Object.entries(properties)) {
    const own = Object.hasOwn(object, key) ? object[key] : undefined;
    // A null where none may be counts as left out, if there is something to put in its place.
    if (child.default !== undefined && (own === undefined || (own === null && child.nullable !== true)))
      object[key] = structuredClone(child.default);
    if (Object.hasOwn(object, key)) applySchemaDefaults(object[key], child);
  }
  if (typeof additionalProperties !== "object") return;
  for (const [key, child] of Object.entries(object)) if (!Object.hasOwn(properties, key)) applySchemaDefaults(child, additionalProperties);
}
