/** The values at the leaves of an object, and what Go's decoder says when one has the wrong type. Part of `decode.ts`. */
import { formatQuantity, parseQuantity } from "./quantity.ts";
import { definition, definitions, type Definition, type FieldSchema } from "./schema/schema.ts";

/** A value of the wrong type; `decode.ts` turns it into a 400. */
export class DecodeFault extends Error {}

/** Where a value stands, innermost step first: making one costs no copy. */
export interface Path {
  readonly parent: Path | undefined;
  readonly key: string | number;
  /** The key is a user's own, not the name of a field. */
  readonly isMapKey?: true;
}

/** `spec.ports[0].port` */
export function pathText(path: Path): string {
  const prefix = path.parent === undefined ? "" : pathText(path.parent);
  if (typeof path.key === "number") return `${prefix}[${path.key}]`;
  return prefix === "" ? path.key : `${prefix}.${path.key}`;
}

/** `spec.ports.port`: Go leaves indexes and the keys of maps out. */
function fieldNames(path: Path | undefined): string {
  if (path === undefined) return "";
  const prefix = fieldNames(path.parent);
  if (typeof path.key === "number" || path.isMapKey === true) return prefix;
  return prefix === "" ? path.key : `${prefix}.${path.key}`;
}

export function decodeNumber(value: unknown, schema: FieldSchema, owner: string, path: Path): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw mismatch(value, schema, owner, path);
  const fits = schema.type === "double" || (schema.type === "int32" ? isInt32(value) : Number.isSafeInteger(value));
  if (!fits) throw mismatch(value, schema, owner, path, `number ${value}`);
  return Object.is(value, -0) ? 0 : value;
}

export const isInt32 = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31;

export function decodeBytes(value: unknown, schema: FieldSchema, owner: string, path: Path): string {
  if (typeof value !== "string") throw mismatch(value, schema, owner, path);
  const text = value.replace(/[\r\n]/g, "");
  const valid = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
  if (!valid.test(text)) throw new DecodeFault(`illegal base64 data at input byte ${firstIllegal(text)}`);
  return text;
}

function firstIllegal(text: string): number {
  const at = text.search(/[^A-Za-z0-9+/]/);
  return at < 0 ? text.length - (text.length % 4) : at;
}

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

export function decodeTime(value: unknown, type: "time" | "microTime"): string {
  if (typeof value !== "string") throw new DecodeFault(`json: cannot unmarshal ${jsonType(value)} into Go value of type string`);
  const match = rfc3339.exec(value);
  const layout = type === "time" ? "2006-01-02T15:04:05Z07:00" : "2006-01-02T15:04:05.000000Z07:00";
  const ms = match === null ? Number.NaN : Date.parse(value);
  if (match === null || Number.isNaN(ms)) {
    throw new DecodeFault(
      `parsing time ${JSON.stringify(value)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(value)} as "2006"`,
    );
  }
  const seconds = new Date(ms).toISOString().slice(0, 19);
  return type === "time" ? `${seconds}Z` : `${seconds}.${(match[1] ?? ".").slice(1, 7).padEnd(6, "0")}Z`;
}

export function decodeQuantity(value: unknown): string {
  // Go reads whatever stands there as text.
  const text = typeof value === "number" ? String(value) : typeof value === "string" ? value.trim() : "";
  const quantity = parseQuantity(text);
  if (quantity === undefined)
    throw new DecodeFault("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  return formatQuantity(quantity);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function jsonType(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (value === null || value === undefined) return "null";
  return typeof value === "boolean" ? "bool" : typeof value;
}

export function mismatch(value: unknown, schema: FieldSchema, owner: string, path: Path, shown = jsonType(value)): DecodeFault {
  return new DecodeFault(
    `json: cannot unmarshal ${shown} into Go struct field ${bareName(owner)}.${fieldNames(path)} of type ${goType(schema)}`,
  );
}

/** Go's name of a type: ours carry a prefix where two packages use one name (`DiscoveryEndpointPort`). */
function bareName(name: string): string {
  const shape: Definition = definition(name);
  const group = shape.package.split(".").at(-2) ?? "";
  const prefix = group.charAt(0).toUpperCase() + group.slice(1);
  const rest = name.slice(prefix.length);
  return name.startsWith(prefix) && Object.hasOwn(definitions, rest) ? rest : name;
}

function goType(schema: FieldSchema): string {
  switch (schema.type) {
    case "boolean":
      return "bool";
    case "double":
      return "float64";
    case "bytes":
      return "[]uint8";
    case "object":
      return `${definition(schema.ref as string)
        .package.split(".")
        .at(-1)}.${bareName(schema.ref as string)}`;
    case "list":
      return `[]${goType(schema.items as FieldSchema)}`;
    case "map":
      return `map[string]${goType(schema.values as FieldSchema)}`;
    case "quantity":
      return "resource.Quantity";
    case "intOrString":
      return "intstr.IntOrString";
    case "time":
      return "v1.Time";
    case "microTime":
      return "v1.MicroTime";
    case "any":
      return "interface {}";
    case "string":
    case "int32":
    case "int64":
      return schema.type;
    default:
      return schema.type satisfies never;
  }
}
