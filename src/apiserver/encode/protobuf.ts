/**
 * Reading `application/vnd.kubernetes.protobuf`, which kubectl 1.32 and newer send where they know the type (`create
 * deployment`), and Go programs that ask for it. What comes out is the JSON that the same object has; `protobuf-write.ts` is the way
 * back, by the same tables.
 */
import type { FieldSchema } from "../../api/schema/schema.ts";
import { definitions } from "../../api/schema/schema.ts";
import { badRequestError } from "../../api/status.ts";
import { magic, onTheWire, planOf as fieldsInOrder, typeOfKind, type FieldPlan } from "./protobuf-plan.ts";
import { unionOf } from "./protobuf-unions.ts";

type Json = Record<string, unknown>;

class WireFault extends Error {}

/** The object in a body, with `apiVersion` and `kind`. Throws 400. */
export function readProtobuf(bytes: Uint8Array): Json {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!body.subarray(0, 4).equals(magic))
    throw badRequestError("the body is no Kubernetes protobuf: it does not begin with k8s and a zero byte");
  try {
    const envelope = fieldsOf(body.subarray(4));
    const [apiVersion, kind] = typeOf(envelope.find(({ number }) => number === 1));
    const object = kind === "" ? {} : readMessage(bytesOf(envelope.find(({ number }) => number === 2)), typeOfKind(apiVersion, kind), 0);
    return { apiVersion, kind, ...object };
  } catch (error) {
    if (error instanceof WireFault) throw badRequestError(`the body cannot be read as protobuf: ${error.message}`);
    throw error;
  }
}

interface WireField {
  readonly number: number;
  /** A varint or fixed number, or the bytes of anything longer. */
  readonly value: bigint | Buffer;
}

/** The fields of a message, in order. Groups, which nobody sends any more, are faults. */
function fieldsOf(message: Buffer): WireField[] {
  const fields: WireField[] = [];
  for (let at = 0; at < message.length;) {
    const key = varint(message, at);
    const [number, type] = [Number(key.value >> 3n), Number(key.value & 7n)];
    const { value, end } = valueAt(message, key.end, type);
    if (number === 0) throw new WireFault("field number 0");
    fields.push({ number, value });
    at = end;
  }
  return fields;
}

interface Read<T> {
  readonly value: T;
  readonly end: number;
}

function valueAt(message: Buffer, at: number, type: number): Read<bigint | Buffer> {
  switch (type) {
    case 0:
      return varint(message, at);
    case 1:
      return { value: slice(message, at, 8), end: at + 8 };
    case 2: {
      const length = varint(message, at);
      const count = Number(length.value);
      return { value: slice(message, length.end, count), end: length.end + count };
    }
    case 5:
      return { value: slice(message, at, 4), end: at + 4 };
    default:
      throw new WireFault(`wire type ${type}`);
  }
}

function slice(message: Buffer, at: number, count: number): Buffer {
  if (count > message.length - at) throw new WireFault("it ends too early");
  return message.subarray(at, at + count);
}

function varint(message: Buffer, at: number): Read<bigint> {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = message[at + i];
    if (byte === undefined) throw new WireFault("it ends too early");
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return { value: BigInt.asUintN(64, value), end: at + i + 1 };
  }
  throw new WireFault("a number is too long");
}

function bytesOf(field: WireField | undefined): Buffer {
  if (field === undefined) return Buffer.alloc(0);
  if (typeof field.value === "bigint") throw new WireFault(`field ${field.number} is a number`);
  return field.value;
}

const textOf = (field: WireField | undefined): string => bytesOf(field).toString("utf8");

function typeOf(field: WireField | undefined): readonly [string, string] {
  const type = fieldsOf(bytesOf(field));
  return [textOf(type.find(({ number }) => number === 1)), textOf(type.find(({ number }) => number === 2))];
}

const plans = new Map<string, ReadonlyMap<number, FieldPlan>>();

function planOf(type: string): ReadonlyMap<number, FieldPlan> {
  let plan = plans.get(type);
  if (plan === undefined) {
    const fields = fieldsInOrder(type);
    if (fields === undefined) throw new WireFault(`the type ${type} is not known`);
    plan = new Map(fields.map((field) => [field.number, field]));
    plans.set(type, plan);
  }
  return plan;
}

const maxDepth = 100;

/** `schemaType` has the JSON types where `type` is a part that JSON does not know (`VolumeSource` within `Volume`). */
function readMessage(message: Buffer, type: string, depth: number, schemaType = type): Json {
  if (depth > maxDepth) throw new WireFault("it is nested too deeply");
  const plan = planOf(type);
  const fields = definitions[schemaType]?.fields ?? {};
  const out: Json = {};
  for (const field of fieldsOf(message)) {
    const planned = plan.get(field.number);
    if (planned === undefined) continue; // Newer than this server: dropped, as an unknown field of JSON is.
    const { mark, name } = planned;
    if (mark === ">") Object.assign(out, readMessage(bytesOf(field), name, depth + 1, schemaType));
    else if (fields[name] !== undefined) readField(out, name, field, onTheWire(fields[name], planned), mark === "~", depth);
  }
  return out;
}

function readField(out: Json, name: string, field: WireField, schema: FieldSchema, zeroIsAbsent: boolean, depth: number): void {
  if (schema.type === "list") {
    ((out[name] ??= []) as unknown[]).push(readValue(field, schema.items as FieldSchema, depth));
  } else if (schema.type === "map") {
    const entry = fieldsOf(bytesOf(field));
    const key = textOf(entry.find(({ number }) => number === 1));
    const value = readValue(
      entry.find(({ number }) => number === 2) ?? { number: 2, value: Buffer.alloc(0) },
      schema.values as FieldSchema,
      depth,
    );
    // Defined, not assigned: a key `__proto__` stays a key.
    Object.defineProperty((out[name] ??= {}), key, { value, enumerable: true, writable: true, configurable: true });
  } else {
    const value = readValue(field, schema, depth);
    if (value === undefined || (zeroIsAbsent && (value === "" || value === 0 || value === false))) return;
    out[name] = value;
  }
}

function readValue(field: WireField, schema: FieldSchema, depth: number): unknown {
  switch (schema.type) {
    case "string":
      return textOf(field);
    case "bytes":
      return bytesOf(field).toString("base64");
    case "boolean":
      return numberOf(field) !== 0n;
    case "int32":
    case "int64":
      return Number(BigInt.asIntN(64, numberOf(field)));
    case "double":
      return bytesOf(field).length === 8 ? bytesOf(field).readDoubleLE() : 0;
    case "quantity":
      return textOf(fieldsOf(bytesOf(field)).find(({ number }) => number === 1));
    case "intOrString":
      return intOrString(fieldsOf(bytesOf(field)));
    case "time":
    case "microTime":
      return timeOf(bytesOf(field), schema.type === "microTime");
    case "any":
      return schema.ref === undefined ? rawJson(fieldsOf(bytesOf(field))) : readUnion(bytesOf(field), schema.ref, depth);
    case "object":
      return readMessage(bytesOf(field), schema.ref as string, depth + 1);
    // As a map's value a list is a message with one field: `ExtraValue`.
    case "list":
      return fieldsOf(bytesOf(field)).map((item) => readValue(item, schema.items as FieldSchema, depth + 1));
    case "map":
      throw new WireFault("a map within a map");
    default:
      return schema.type satisfies never;
  }
}

function readUnion(message: Buffer, type: string, depth: number): unknown {
  const { schemaField, other } = unionOf(type);
  const fields = fieldsOf(message);
  const schema = fields.find(({ number }) => number === schemaField);
  if (other === undefined) return {};
  if (schema !== undefined) return readMessage(bytesOf(schema), "JSONSchemaProps", depth + 1);
  const others = fields.filter(({ number }) => number === other.field);
  switch (other.form) {
    case "boolean":
      return others[0] !== undefined && numberOf(others[0]) !== 0n;
    case "strings":
      return others.map(textOf);
    case "schemas":
      return others.map((item) => readMessage(bytesOf(item), "JSONSchemaProps", depth + 1));
    default:
      return other.form satisfies never;
  }
}

function numberOf({ number, value }: WireField): bigint {
  if (typeof value !== "bigint") throw new WireFault(`field ${number} is no number`);
  return value;
}

/** `intstr.IntOrString`: which of the two, the number, the text. */
function intOrString(fields: readonly WireField[]): number | string {
  const at = (wanted: number) => fields.find(({ number }) => number === wanted);
  const [type, int] = [at(1), at(2)];
  if (type !== undefined && numberOf(type) === 1n) return textOf(at(3));
  return int === undefined ? 0 : Number(BigInt.asIntN(32, numberOf(int)));
}

/** Seconds and nanoseconds; an empty message is no time at all. */
function timeOf(message: Buffer, micro: boolean): string | undefined {
  if (message.length === 0) return undefined;
  const fields = fieldsOf(message);
  const at = (wanted: number) => fields.find(({ number }) => number === wanted);
  const [seconds, nanos] = [at(1), at(2)];
  const milliseconds = seconds === undefined ? 0 : Number(BigInt.asIntN(64, numberOf(seconds))) * 1000;
  if (Math.abs(milliseconds) > 8.64e15) throw new WireFault("a time is out of range");
  const text = new Date(milliseconds).toISOString().slice(0, 19);
  const microseconds = nanos === undefined ? 0 : Math.floor(Number(BigInt.asUintN(32, numberOf(nanos))) / 1000) % 1_000_000;
  return micro ? `${text}.${String(microseconds).padStart(6, "0")}Z` : `${text}Z`;
}

/** `FieldsV1` and `RawExtension` carry JSON as bytes. */
function rawJson(fields: readonly WireField[]): unknown {
  const text = textOf(fields.find(({ number }) => number === 1));
  if (text === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new WireFault("a raw field is no JSON");
  }
}
