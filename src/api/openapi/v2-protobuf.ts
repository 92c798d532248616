/**
 * The Swagger document as protobuf (`application/com.github.proto-openapi.spec.v2@v1.0+protobuf`), the only form that kubectl
 * before 1.29 asks for. Field numbers are those of gnostic's `openapiv2/OpenAPIv2.proto`.
 */
import type { OpenApiObject } from "./schemas.ts";

type Value = unknown;
type Writer = (value: Value) => Uint8Array | undefined;

/** name in the document → field number and how its value is written */
type MessageType = Readonly<Record<string, readonly [number, Writer | "string" | "strings" | "bool"]>>;

const encoder = new TextEncoder();

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  while (rest > 127) {
    out.push((rest & 127) | 128);
    rest = Math.floor(rest / 128);
  }
  return [...out, rest];
}

function field(number: number, bytes: Uint8Array): Uint8Array {
  return concat([Uint8Array.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

const text = (number: number, value: string) => field(number, encoder.encode(value));

function message(object: OpenApiObject, type: MessageType, extensions?: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [key, value] of Object.entries(object)) {
    const known = type[key];
    if (known !== undefined) parts.push(...encode(known, value));
    else if (extensions !== undefined && key.startsWith("x-")) parts.push(field(extensions, namedAny(key, value)));
  }
  return concat(parts);
}

function encode([number, writer]: MessageType[string], value: Value): readonly Uint8Array[] {
  if (writer === "string") return value === "" ? [] : [text(number, String(value))];
  if (writer === "strings") return (value as readonly string[]).map((item) => text(number, item));
  if (writer === "bool") return value === true ? [Uint8Array.from([...varint(number * 8), 1])] : [];
  const bytes = writer(value);
  return bytes === undefined ? [] : [field(number, bytes)];
}

/** An extension's value travels as YAML text, and JSON is YAML. */
function namedAny(name: string, value: Value): Uint8Array {
  return concat([text(1, name), field(2, text(2, `${JSON.stringify(value)}\n`))]);
}

/** `{name: value}` → the repeated pairs that protobuf has for it. */
function named(map: Value, number: number, writer: (value: never) => Uint8Array): Uint8Array {
  return concat(
    Object.entries(map as OpenApiObject).map(([name, value]) => field(number, concat([text(1, name), field(2, writer(value as never))]))),
  );
}

/** Several messages under one number; joined they are what `encode` would wrap once, so they are wrapped here. */
function repeated(values: Value, number: number, writer: (value: never) => Uint8Array): Uint8Array {
  return concat((values as readonly unknown[]).map((value) => field(number, writer(value as never))));
}

const schemaType: MessageType = {
  $ref: [1, "string"],
  format: [2, "string"],
  description: [4, "string"],
  required: [19, "strings"],
  additionalProperties: [21, (value) => field(1, schema(value as OpenApiObject))],
  type: [22, (value) => text(1, String(value))],
  items: [23, (value) => field(1, schema(value as OpenApiObject))],
  properties: [25, (value) => named(value, 1, schema)],
};

function schema(value: OpenApiObject): Uint8Array {
  return message(value, schemaType, 31);
}

const bodyParameter: MessageType = {
  description: [1, "string"],
  name: [2, "string"],
  in: [3, "string"],
  required: [4, "bool"],
  schema: [5, (value) => schema(value as OpenApiObject)],
};
const queryParameter: MessageType = {
  required: [1, "bool"],
  in: [2, "string"],
  description: [3, "string"],
  name: [4, "string"],
  type: [6, "string"],
  uniqueItems: [20, "bool"],
};
const pathParameter: MessageType = {
  required: [1, "bool"],
  in: [2, "string"],
  description: [3, "string"],
  name: [4, "string"],
  type: [5, "string"],
  uniqueItems: [19, "bool"],
};

/** ParametersItem → Parameter → (BodyParameter | NonBodyParameter → Query | Path) */
function parameter(value: OpenApiObject): Uint8Array {
  const place = value["in"];
  if (place === "body") return field(1, field(1, message(value, bodyParameter, 6)));
  return field(1, field(2, place === "path" ? field(4, message(value, pathParameter, 22)) : field(3, message(value, queryParameter, 23))));
}

function response(value: OpenApiObject): Uint8Array {
  return field(1, message(value, { description: [1, "string"], schema: [2, (inner) => field(1, schema(inner as OpenApiObject))] }));
}

function operation(value: OpenApiObject): Uint8Array {
  const { parameters = [], ...rest } = value;
  const type: MessageType = {
    description: [3, "string"],
    operationId: [5, "string"],
    produces: [6, "strings"],
    consumes: [7, "strings"],
    responses: [9, (inner) => named(inner, 1, response)],
  };
  return concat([message(rest, type, 13), repeated(parameters, 8, parameter)]);
}

function pathItem(value: OpenApiObject): Uint8Array {
  const { parameters = [], ...rest } = value;
  const type: MessageType = Object.fromEntries(
    Object.entries({ get: 2, put: 3, post: 4, delete: 5, patch: 8 }).map(([method, number]) => [
      method,
      [number, (inner: Value) => operation(inner as OpenApiObject)] as const,
    ]),
  );
  return concat([message(rest, type, 10), repeated(parameters, 9, parameter)]);
}

/** `document`: what `openApiV2` gives. */
export function openApiV2Protobuf(document: OpenApiObject): Uint8Array {
  return message(document, {
    swagger: [1, "string"],
    info: [2, (value) => message(value as OpenApiObject, { title: [1, "string"], version: [2, "string"] })],
    paths: [8, (value) => named(value, 2, pathItem)],
    definitions: [9, (value) => named(value, 1, schema)],
  });
}
