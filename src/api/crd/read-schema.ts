/** The schema of a CustomResourceDefinition as somebody wrote it: what is not of its keyword's type is left out, so that nothing built on it can fail. */
import type { JsonSchema } from "./json-schema.ts";

type Reader = (value: unknown) => unknown;

const text: Reader = (value) => (typeof value === "string" ? value : undefined);
const number: Reader = (value) => (typeof value === "number" ? value : undefined);
const flag: Reader = (value) => (typeof value === "boolean" ? value : undefined);
const list: Reader = (value) => (Array.isArray(value) ? value : undefined);
const texts: Reader = (value) => (Array.isArray(value) ? value.filter((one) => typeof one === "string") : undefined);
const schemas: Reader = (value) => (Array.isArray(value) ? value.map(readSchema) : undefined);
const schema: Reader = (value) => (isRecord(value) ? readSchema(value) : undefined);
const properties: Reader = (value) =>
  isRecord(value) ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, readSchema(one)])) : undefined;
const schemaOrFlag: Reader = (value) => schema(value) ?? flag(value);
const any: Reader = (value) => value;

const readers: Readonly<Record<string, Reader>> = {
  type: text,
  format: text,
  description: text,
  title: text,
  properties,
  additionalProperties: schemaOrFlag,
  items: schema,
  required: texts,
  default: any,
  enum: list,
  nullable: flag,
  minimum: number,
  maximum: number,
  exclusiveMinimum: flag,
  exclusiveMaximum: flag,
  multipleOf: number,
  minLength: number,
  maxLength: number,
  pattern: text,
  minItems: number,
  maxItems: number,
  uniqueItems: flag,
  minProperties: number,
  maxProperties: number,
  allOf: schemas,
  anyOf: schemas,
  oneOf: schemas,
  not: schema,
  "x-kubernetes-preserve-unknown-fields": flag,
  "x-kubernetes-int-or-string": flag,
  "x-kubernetes-embedded-resource": flag,
  "x-kubernetes-list-type": text,
  "x-kubernetes-list-map-keys": texts,
  "x-kubernetes-map-type": text,
  "x-kubernetes-validations": list,
};

export function readSchema(value: unknown): JsonSchema {
  if (!isRecord(value)) return {};
  const read = Object.entries(value).flatMap(([key, child]): [string, unknown][] => {
    const reader = Object.hasOwn(readers, key) ? readers[key] : undefined;
    const kept = child === null ? undefined : reader?.(child);
    return kept === undefined ? [] : [[key, kept]];
  });
  return Object.fromEntries(read) as JsonSchema;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
