/**
 * Writing `application/vnd.kubernetes.protobuf`: objects, lists and watch events, from the JSON that the server holds and by the tables by
 * which it reads (`protobuf.ts`). What is not there is not written; upstream writes zeros for some of it, which its readers do not
 * tell apart (apimachinery `pkg/runtime/serializer/protobuf`, `pkg/util/framer`).
 */
import { definitions, type FieldSchema } from "../../api/schema/schema.ts";
import { notAcceptableError } from "../../api/status.ts";
import { magic, onTheWire, planOf, typeOfKind } from "./protobuf-plan.ts";
import { unionOf } from "./protobuf-unions.ts";
import { ReverseWriter } from "./reverse-writer.ts";

type Json = Readonly<Record<string, unknown>>;

interface Typed extends Json {
  readonly apiVersion?: string;
  readonly kind?: string;
}

/** Whether objects of a type can be written. */
export const isWritable = (type: string): boolean => planOf(type) !== undefined;

/** An object with its envelope. Throws 406 for a kind that has no tables. */
export function writeProtobuf(object: object): Buffer {
  const { apiVersion = "", kind = "" } = object as Typed;
  const out = new ReverseWriter();
  writeObject(out, object as Json, typeOfKind(apiVersion, kind));
  return enveloped(out, apiVersion, kind);
}

/** The message of one object of a list. */
export function writeItem(object: object, type: string): Buffer {
  const out = new ReverseWriter();
  writeObject(out, object as Json, type);
  return out.bytes();
}

/** A list of items that are written already: its envelope and what is before the first item. Items follow as they are, each behind `itemHead`. */
export function listHead(apiVersion: string, kind: string, metadata: object, itemBytes: number): Buffer {
  const meta = new ReverseWriter();
  const end = meta.mark();
  writeObject(meta, metadata as Json, "ListMeta");
  meta.message(1, end);
  const before = meta.bytes();
  const out = new ReverseWriter();
  out.raw(before);
  out.varint(before.length + itemBytes);
  out.tag(2, 2);
  writeTypeMeta(out, apiVersion, kind);
  out.raw(magic);
  return out.bytes();
}

/** What stands before an item of a list. */
export function itemHead(size: number): Buffer {
  const out = new ReverseWriter();
  out.varint(size);
  out.tag(2, 2);
  return out.bytes();
}

/** An event of a watch: the length in four bytes, then `WatchEvent` with the object in its own envelope. */
export function writeEvent(type: string, object: Uint8Array): Buffer {
  const out = new ReverseWriter();
  const end = out.mark();
  out.lengthDelimited(1, object);
  out.message(2, end);
  out.text(1, type);
  const size = out.length;
  out.fixed32BigEndian(size);
  return out.bytes();
}

/** Of `PartialObjectMetadata`, which is in no schema: any object is one. */
const partialFields: Readonly<Record<string, FieldSchema>> = { metadata: { type: "object", ref: "ObjectMeta" } };

function enveloped(out: ReverseWriter, apiVersion: string, kind: string): Buffer {
  out.message(2, 0);
  writeTypeMeta(out, apiVersion, kind);
  out.raw(magic);
  return out.bytes();
}

function writeTypeMeta(out: ReverseWriter, apiVersion: string, kind: string): void {
  const end = out.mark();
  out.text(2, kind);
  out.text(1, apiVersion);
  out.message(1, end);
}

/** Back to front, since a message's length stands before it. `schemaType` has the JSON types where `type` is a part that JSON does not know. */
function writeObject(out: ReverseWriter, object: Json, type: string, schemaType = type): void {
  const plan = planOf(type);
  if (plan === undefined) throw notAcceptableError(`${type} has no form in protocol buffers: ask for application/json`);
  const fields = definitions[schemaType]?.fields ?? partialFields;
  for (let i = plan.length - 1; i >= 0; i--) {
    const planned = plan[i] as (typeof plan)[number];
    const { number, mark, name } = planned;
    if (mark === ">") {
      const end = out.mark();
      writeObject(out, object, name, schemaType);
      if (out.mark() > end) out.message(number, end);
    } else {
      const [value, schema] = [object[name], fields[name]];
      if (value !== undefined && value !== null && schema !== undefined) writeField(out, number, value, onTheWire(schema, planned));
    }
  }
}

function writeField(out: ReverseWriter, number: number, value: unknown, schema: FieldSchema): void {
  if (schema.type === "list") {
    const items = value as readonly unknown[];
    for (let i = items.length - 1; i >= 0; i--) writeValue(out, number, items[i], schema.items as FieldSchema);
  } else if (schema.type === "map") {
    const keys = Object.keys(value as object).sort();
    for (let i = keys.length - 1; i >= 0; i--) {
      const key = keys[i] as string;
      const end = out.mark();
      writeValue(out, 2, (value as Json)[key], schema.values as FieldSchema);
      out.text(1, key);
      out.message(number, end);
    }
  } else writeValue(out, number, value, schema);
}

function writeValue(out: ReverseWriter, number: number, value: unknown, schema: FieldSchema): void {
  switch (schema.type) {
    case "string":
      return out.text(number, value as string);
    case "bytes":
      return out.lengthDelimited(number, Buffer.from(value as string, "base64"));
    case "boolean":
      return out.integer(number, value === true ? 1 : 0);
    case "int32":
    case "int64":
      return out.integer(number, value as number);
    case "double":
      return out.double(number, value as number);
    case "map":
      throw new Error("a map within a map has no form in protocol buffers");
    // As a map's value a list is a message with one field: `ExtraValue`.
    case "list":
    case "quantity":
    case "intOrString":
    case "time":
    case "microTime":
    case "any":
    case "object": {
      const end = out.mark();
      writeStructured(out, value, schema);
      return out.message(number, end);
    }
    default:
      return schema.type satisfies never;
  }
}

function writeStructured(out: ReverseWriter, value: unknown, schema: FieldSchema): void {
  switch (schema.type) {
    case "list":
      return writeField(out, 1, value, schema);
    case "quantity":
      return out.text(1, String(value));
    case "intOrString":
      if (typeof value === "string") {
        out.text(3, value);
        out.integer(2, 0);
        return out.integer(1, 1);
      }
      out.text(3, "");
      out.integer(2, value as number);
      return out.integer(1, 0);
    case "time":
    case "microTime":
      return writeTime(out, value as string);
    case "any":
      if (schema.ref !== undefined) return writeUnion(out, value, schema.ref);
      return out.lengthDelimited(1, Buffer.from(JSON.stringify(value)));
    default:
      return writeObject(out, value as Json, schema.ref as string);
  }
}

function writeUnion(out: ReverseWriter, value: unknown, type: string): void {
  const { schemaField, other } = unionOf(type);
  if (other === undefined) return;
  if (typeof value === "boolean") return out.integer(other.field, value ? 1 : 0);
  const schema: FieldSchema = { type: "object", ref: "JSONSchemaProps" };
  if (!Array.isArray(value)) {
    writeValue(out, schemaField, value, schema);
    // Of a schema in the place of a flag upstream says that what it allows is there.
    if (other.form === "boolean") out.integer(other.field, 1);
    return;
  }
  writeField(out, other.field, value, { type: "list", items: other.form === "strings" ? { type: "string" } : schema });
}

/** Seconds and nanoseconds since the epoch. */
function writeTime(out: ReverseWriter, text: string): void {
  const seconds = Math.floor(Date.parse(text) / 1000);
  const fraction = /\.(\d{1,9})/.exec(text)?.[1] ?? "";
  out.integer(2, Number(fraction.padEnd(9, "0")));
  out.integer(1, Number.isNaN(seconds) ? 0 : seconds);
}
