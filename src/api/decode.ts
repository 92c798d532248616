/**
 * From JSON of a stranger to an object of its kind: every field has the type that the schema gives it, fields that the
 * schema does not know are gone, quantities and times are written in one way. The input is never changed and the result
 * shares nothing with it. Messages are those of Go's decoder as the API server passes them on (apiserver
 * `pkg/endpoints/handlers/rest.go` transformDecodeError, sigs.k8s.io/json), since users know and search for them.
 */
import {
  DecodeFault,
  decodeBytes,
  decodeNumber,
  decodeQuantity,
  decodeTime,
  isInt32,
  isRecord,
  jsonType,
  mismatch,
  pathText,
  type Path,
} from "./decode-values.ts";
import type { KindSpec } from "./kind.ts";
import type { Draft, KubeObject } from "./object.ts";
import { apiVersionOf } from "./resources.ts";
import { definition, definitions, type FieldSchema } from "./schema/schema.ts";
import { badRequestError, type StatusError } from "./status.ts";

/** The `fieldValidation` parameter: what becomes of fields that the schema does not know (KEP-2885). */
export type FieldValidation = "Ignore" | "Warn" | "Strict";

export interface Decoded {
  readonly object: Draft<KubeObject>;
  /** For `Warning:` headers: `unknown field "spec.foo"`. */
  readonly warnings: readonly string[];
}

/** Deeper than any real object; keeps a hostile or cyclic one from exhausting the stack. */
const maxDepth = 256;

interface Walk {
  readonly unknown: string[];
}

/**
 * Decodes `raw` as an object of `kind`. `apiVersion` and `kind` may be missing and are then filled in.
 *
 * Throws a 400 `StatusError` when it is no object, is of another kind or version, has a value of the wrong type or, with
 * `Strict`, an unknown field.
 */
export function decodeObject(kind: KindSpec, raw: unknown, fieldValidation: FieldValidation): Decoded {
  const envelope = readEnvelope(kind, raw);
  const walk: Walk = { unknown: [] };
  const object = decodeOrThrow(kind, () => decodeStruct(envelope, kind.definition, undefined, 0, walk)) as unknown as Draft<KubeObject>;
  const problems = walk.unknown.map((path) => `unknown field ${JSON.stringify(path)}`);
  if (problems.length > 0 && fieldValidation === "Strict") {
    throw cannotHandle(kind, `strict decoding error: ${problems.join(", ")}`);
  }
  object.metadata ??= {};
  return {
    object: { ...object, apiVersion: apiVersionOf(kind.resource), kind: kind.resource.kind },
    warnings: fieldValidation === "Ignore" ? [] : problems,
  };
}

/**
 * Decodes `raw` as one of the schema's types that is no kind of its own: `DeleteOptions`, `Binding`, `Scale`. `name` is
 * its definition. Unknown fields are dropped. Throws a 400 `StatusError`.
 */
export function decodeType<T>(name: string, raw: unknown): T {
  if (!isRecord(raw))
    throw badRequestError(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${jsonType(raw)} into Go value of type struct`,
    );
  try {
    return decodeStruct(raw, name, undefined, 0, { unknown: [] }) as T;
  } catch (error) {
    if (error instanceof DecodeFault) throw badRequestError(`${name} cannot be handled: ${error.message}`);
    throw error;
  }
}

function readEnvelope(kind: KindSpec, raw: unknown): Readonly<Record<string, unknown>> {
  if (!isRecord(raw)) {
    throw badRequestError(
      "couldn't get version/kind; json parse error: json: cannot unmarshal " +
        `${jsonType(raw)} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
    );
  }
  const { resource } = kind;
  const expected = apiVersionOf(resource);
  if (typeof raw["apiVersion"] === "string" && raw["apiVersion"] !== "" && raw["apiVersion"] !== expected) {
    throw badRequestError(`the API version in the data (${raw["apiVersion"]}) does not match the expected API version (${expected})`);
  }
  if (typeof raw["kind"] === "string" && raw["kind"] !== "" && raw["kind"] !== resource.kind) {
    const reason =
      raw["kind"] in definitions
        ? `converting (${resource.version}.${raw["kind"]}) to (${internalPackage(resource.group)}.${resource.kind}): unknown conversion`
        : `no kind ${JSON.stringify(raw["kind"])} is registered for version ${JSON.stringify(expected)}`;
    throw badRequestError(
      `${raw["kind"]} in version ${JSON.stringify(resource.version)} cannot be handled as a ${resource.kind}: ${reason}`,
    );
  }
  return raw;
}

const internalPackage = (group: string): string => (group === "" ? "core" : (group.split(".")[0] as string));

function cannotHandle(kind: KindSpec, reason: string): StatusError {
  const { resource } = kind;
  return badRequestError(
    `${resource.kind} in version ${JSON.stringify(resource.version)} cannot be handled as a ${resource.kind}: ${reason}`,
  );
}

function decodeOrThrow<T>(kind: KindSpec, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeFault) throw cannotHandle(kind, error.message);
    throw error;
  }
}

function decodeStruct(value: unknown, name: string, path: Path | undefined, depth: number, walk: Walk): Record<string, unknown> {
  const shape = definition(name);
  const out: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value as Readonly<Record<string, unknown>>)) {
    // Own properties only: `constructor` and the like are fields that nobody knows.
    const schema = Object.hasOwn(shape.fields, key) ? shape.fields[key] : undefined;
    if (schema === undefined && shape.preserveUnknown === true) out[key] = copyJson(child, depth + 1);
    else if (schema === undefined) walk.unknown.push(pathText({ parent: path, key }));
    else if (child === null && schema.nullable === true) out[key] = null;
    else if (child !== null && child !== undefined) out[key] = decodeValue(child, schema, name, { parent: path, key }, depth + 1, walk);
  }
  return out;
}

function decodeValue(value: unknown, schema: FieldSchema, owner: string, path: Path, depth: number, walk: Walk): unknown {
  if (depth > maxDepth) throw new DecodeFault("json: exceeded max depth");
  if (schema.lenient === true && Array.isArray(value) !== (schema.type === "list")) return copyJson(value, depth);
  if (schema.lenient === true && !Array.isArray(value) && !isRecord(value)) return copyJson(value, depth);
  switch (schema.type) {
    case "string":
    case "boolean":
      if (typeof value !== schema.type) throw mismatch(value, schema, owner, path);
      return value;
    case "int32":
    case "int64":
    case "double":
      return decodeNumber(value, schema, owner, path);
    case "bytes":
      return decodeBytes(value, schema, owner, path);
    case "time":
    case "microTime":
      return decodeTime(value, schema.type);
    case "quantity":
      return decodeQuantity(value);
    case "intOrString":
      if (typeof value === "string" || isInt32(value)) return value;
      throw new DecodeFault(`json: cannot unmarshal ${jsonType(value)} into Go value of type int32`);
    case "any":
      return copyJson(value, depth);
    case "object":
      if (!isRecord(value)) throw mismatch(value, schema, owner, path);
      return decodeStruct(value, schema.ref as string, path, depth, walk);
    case "list":
      return decodeList(value, schema, owner, path, depth, walk);
    case "map":
      return decodeMap(value, schema, owner, path, depth, walk);
    default:
      return schema.type satisfies never;
  }
}

function decodeList(value: unknown, schema: FieldSchema, owner: string, path: Path, depth: number, walk: Walk): unknown[] {
  if (!Array.isArray(value)) throw mismatch(value, schema, owner, path);
  const items = schema.items as FieldSchema;
  return value.map((item: unknown, index) =>
    item === null || item === undefined ? zeroOf(items) : decodeValue(item, items, owner, { parent: path, key: index }, depth + 1, walk),
  );
}

function decodeMap(value: unknown, schema: FieldSchema, owner: string, path: Path, depth: number, walk: Walk): Record<string, unknown> {
  if (!isRecord(value)) throw mismatch(value, schema, owner, path);
  const values = schema.values as FieldSchema;
  const entries = Object.entries(value).map(([key, child]): [string, unknown] => [
    key,
    child === null || child === undefined
      ? zeroOf(values)
      : decodeValue(child, values, owner, { parent: path, key, isMapKey: true }, depth + 1, walk),
  ]);
  // `fromEntries` defines: a key `__proto__` stays a key.
  return Object.fromEntries(entries);
}

/** What Go makes of `null` where no pointer is. */
function zeroOf(schema: FieldSchema): unknown {
  switch (schema.type) {
    case "object":
    case "map":
      return {};
    case "list":
      return [];
    case "boolean":
      return false;
    case "int32":
    case "int64":
    case "double":
    case "intOrString":
      return 0;
    case "quantity":
      return "0";
    case "any":
      return null;
    case "string":
    case "bytes":
    case "time":
    case "microTime":
      return "";
    default:
      return schema.type satisfies never;
  }
}

/** A copy of free-form JSON. */
function copyJson(value: unknown, depth: number): unknown {
  if (depth > maxDepth) throw new DecodeFault("json: exceeded max depth");
  if (Array.isArray(value)) return value.map((item: unknown) => copyJson(item, depth + 1));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, copyJson(child, depth + 1)]));
}
