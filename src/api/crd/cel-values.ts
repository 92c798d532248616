/** JSON as CEL sees it: whole numbers of an `integer` are `int`, and names that are no identifiers are escaped (apiserver `pkg/cel/escaping.go`). */
import { counted, type Budget } from "../cel/budget.ts";
import type { JsonSchema } from "./json-schema.ts";

const reserved: ReadonlySet<string> = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(" "),
);

/** `a-b` → `a__dash__b`, `namespace` → `__namespace__`. */
export function fieldName(name: string): string {
  if (reserved.has(name)) return `__${name}__`;
  return name.replaceAll("__", "__underscores__").replaceAll(".", "__dot__").replaceAll("-", "__dash__").replaceAll("/", "__slash__");
}

export function toCel(value: unknown, schema: JsonSchema | undefined, budget: Budget): unknown {
  if (typeof value === "number") return asInt(value, schema) ? BigInt(value) : value;
  const items = (item: unknown) => toCel(item, schema?.items, budget);
  if (Array.isArray(value)) return counted(value.map(items), budget);
  if (typeof value !== "object" || value === null) return value;
  const { properties = {}, additionalProperties } = schema ?? {};
  const values = typeof additionalProperties === "object" ? additionalProperties : undefined;
  const fields = Object.entries(value).map(([key, child]) =>
    Object.hasOwn(properties, key)
      ? [fieldName(key), toCel(child, properties[key], budget)]
      : [values === undefined ? fieldName(key) : key, toCel(child, values, budget)],
  );
  return counted(Object.fromEntries(fields) as object, budget);
}

function asInt(value: number, schema: JsonSchema | undefined): boolean {
  return Number.isInteger(value) && schema?.type !== "number";
}
