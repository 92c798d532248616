/** A value against its structural schema, with the texts of kube-openapi's validator (`pkg/validation/errors`, `pkg/validation/validate`). Pure. */
import { duplicate, invalid, notSupported, required, tooMany, type FieldError } from "../field-error.ts";
import { compilePattern } from "../pattern.ts";
import { equalSemantics } from "../equality.ts";
import { parseCidr, parseIp } from "../../lib/ip.ts";
import type { JsonSchema } from "./json-schema.ts";

/** More would tell nobody more. */
const maxErrors = 100;

export function validateSchema(value: unknown, schema: JsonSchema, path: string): readonly FieldError[] {
  return errorsOf(value, schema, path).slice(0, maxErrors);
}

function errorsOf(value: unknown, schema: JsonSchema, path: string): FieldError[] {
  if (value === null && schema.nullable === true) return [];
  const mismatch = typeError(value, schema, path);
  if (mismatch !== undefined) return [mismatch];
  return [...enumErrors(value, schema, path), ...partErrors(value, schema, path), ...logicErrors(value, schema, path)];
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function typeError(value: unknown, schema: JsonSchema, path: string): FieldError | undefined {
  const actual = typeOf(value);
  const { type } = schema;
  if (schema["x-kubernetes-int-or-string"] === true)
    return actual === "integer" || actual === "string" ? undefined : wrongType(path, "integer,string", actual);
  if (type === undefined || type === actual || (type === "number" && actual === "integer")) return undefined;
  return wrongType(path, type, actual);
}

const wrongType = (path: string, wanted: string, actual: string): FieldError =>
  invalid(path, actual, `${path} in body must be of type ${wanted}: ${JSON.stringify(actual)}`);

function enumErrors(value: unknown, { enum: allowed }: JsonSchema, path: string): FieldError[] {
  if (allowed === undefined || allowed.some((one) => equalSemantics(one, value))) return [];
  return [
    notSupported(
      path,
      value,
      allowed.map((one) => (typeof one === "string" ? one : JSON.stringify(one))),
    ),
  ];
}

function partErrors(value: unknown, schema: JsonSchema, path: string): FieldError[] {
  if (typeof value === "string") return stringErrors(value, schema, path);
  if (typeof value === "number") return numberErrors(value, schema, path);
  if (Array.isArray(value)) return listErrors(value, schema, path);
  return typeof value === "object" && value !== null ? objectErrors(value as Record<string, unknown>, schema, path) : [];
}

function stringErrors(value: string, { minLength, maxLength, pattern, format }: JsonSchema, path: string): FieldError[] {
  const length = [...value].length;
  const errors: FieldError[] = [];
  if (maxLength !== undefined && length > maxLength)
    errors.push({ type: "FieldValueTooLong", field: path, message: `Too long: may not be more than ${maxLength} bytes` });
  if (minLength !== undefined && length < minLength)
    errors.push(invalid(path, value, `${path} in body should be at least ${minLength} chars long`));
  if (pattern !== undefined && !matches(pattern, value)) errors.push(invalid(path, value, `${path} in body should match '${pattern}'`));
  if (format !== undefined && formats[format]?.(value) === false)
    errors.push(invalid(path, value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`));
  return errors;
}

/** A pattern that Go knows and this server cannot run is not held against anybody; one that takes too long is not met. */
function matches(pattern: string, value: string): boolean {
  try {
    return compilePattern(pattern)?.(value) ?? true;
  } catch {
    return false;
  }
}

const formats: Readonly<Record<string, (text: string) => boolean>> = {
  "date-time": (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(text) && !Number.isNaN(Date.parse(text)),
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)),
  ipv4: (text) => parseIp(text)?.family === 4,
  ipv6: (text) => parseIp(text)?.family === 6,
  cidr: (text) => parseCidr(text) !== undefined,
  uuid: (text) => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text),
  byte: (text) => /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0,
};

function numberErrors(value: number, schema: JsonSchema, path: string): FieldError[] {
  const { minimum, maximum, exclusiveMinimum = false, exclusiveMaximum = false, multipleOf, format } = schema;
  const errors: FieldError[] = [];
  if (format === "int32" && (value < -(2 ** 31) || value >= 2 ** 31))
    errors.push(invalid(path, value, `${path} in body must be of type int32: ${value}`));
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum))
    errors.push(invalid(path, value, `${path} in body should be greater than ${exclusiveMinimum ? "" : "or equal to "}${minimum}`));
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum))
    errors.push(invalid(path, value, `${path} in body should be less than ${exclusiveMaximum ? "" : "or equal to "}${maximum}`));
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf))
    errors.push(invalid(path, value, `${path} in body should be a multiple of ${multipleOf}`));
  return errors;
}

function listErrors(value: readonly unknown[], schema: JsonSchema, path: string): FieldError[] {
  const { minItems, maxItems, items } = schema;
  if (maxItems !== undefined && value.length > maxItems) return [tooMany(path, value.length, maxItems)];
  const errors: FieldError[] = [];
  if (minItems !== undefined && value.length < minItems)
    errors.push(invalid(path, value.length, `${path} in body should have at least ${minItems} items`));
  if (items !== undefined) for (const [index, item] of value.entries()) errors.push(...errorsOf(item, items, `${path}[${index}]`));
  return [...errors, ...duplicates(value, schema, path)];
}

/** Items of a set, and of a map by their keys, are there once. */
function duplicates(value: readonly unknown[], schema: JsonSchema, path: string): FieldError[] {
  const listType = schema["x-kubernetes-list-type"];
  if (listType !== "set" && listType !== "map") return [];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const seen = new Set<string>();
  return value.flatMap((item, index) => {
    const own = listType === "set" ? item : Object.fromEntries(keys.map((key) => [key, (item as Record<string, unknown> | null)?.[key]]));
    const text = JSON.stringify(own);
    if (seen.has(text)) return [duplicate(`${path}[${index}]`, own)];
    seen.add(text);
    return [];
  });
}

function objectErrors(value: Readonly<Record<string, unknown>>, schema: JsonSchema, path: string): FieldError[] {
  const { properties = {}, additionalProperties, required: needed = [], minProperties, maxProperties } = schema;
  const at = (key: string) => (path === "" ? key : `${path}.${key}`);
  const errors = needed.filter((key) => !Object.hasOwn(value, key)).map((key) => required(at(key)));
  const count = Object.keys(value).length;
  if (maxProperties !== undefined && count > maxProperties) errors.push(tooMany(path, count, maxProperties));
  if (minProperties !== undefined && count < minProperties)
    errors.push(invalid(path, count, `${path} in body should have at least ${minProperties} properties`));
  for (const [key, child] of Object.entries(value)) {
    if (Object.hasOwn(properties, key)) errors.push(...errorsOf(child, properties[key] as JsonSchema, at(key)));
    else if (typeof additionalProperties === "object") errors.push(...errorsOf(child, additionalProperties, at(key)));
  }
  return errors;
}

function logicErrors(value: unknown, { allOf = [], anyOf, oneOf, not }: JsonSchema, path: string): FieldError[] {
  const name = JSON.stringify(path);
  const fits = (schema: JsonSchema) => errorsOf(value, schema, path).length === 0;
  const errors = allOf.flatMap((schema) => errorsOf(value, schema, path));
  if (anyOf !== undefined && !anyOf.some(fits)) errors.push(invalid(path, "", `${name} must validate at least one schema (anyOf)`));
  if (oneOf !== undefined) {
    const count = oneOf.filter(fits).length;
    const found = count === 0 ? "none valid" : `${count} valid alternatives`;
    if (count !== 1) errors.push(invalid(path, "", `${name} must validate one and only one schema (oneOf). Found ${found}`));
  }
  if (not !== undefined && fits(not)) errors.push(invalid(path, "", `${name} must not validate the schema (not)`));
  return errors;
}
