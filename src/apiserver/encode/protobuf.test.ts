import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { kinds } from "../../api/kinds/index.ts";
import { definitions, type FieldSchema } from "../../api/schema/schema.ts";
import { StatusError } from "../../api/status.ts";
import { protobufFields } from "./protobuf-fields.ts";
import { writeProtobuf } from "./protobuf-write.ts";
import { readProtobuf } from "./protobuf.ts";

/** Types that bodies have beside the kinds. */
const others = ["DeleteOptions", "Scale", "Binding", "Eviction"];

function reachable(): ReadonlySet<string> {
  const seen = new Set<string>();
  const visit = (name: string) => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const field of Object.values(definitions[name]?.fields ?? {})) walk(field);
  };
  const walk = ({ ref, items, values }: FieldSchema) => {
    if (ref !== undefined) visit(ref);
    if (items !== undefined) walk(items);
    if (values !== undefined) walk(values);
  };
  for (const name of [...kinds.map(({ definition }) => definition), ...others]) visit(name);
  return seen;
}

function namesOf(type: string): string[] {
  return (protobufFields[type] ?? "").split(" ").flatMap((token) => {
    const [, mark, name = ""] = /^\d+([=~>])([\w$-]+)/.exec(token) ?? [];
    return mark === ">" ? namesOf(name) : [name];
  });
}

test("every field of every kind has its number", () => {
  const missing = [...reachable()].flatMap((type) => {
    const known = new Set([...namesOf(type), "apiVersion", "kind"]);
    return Object.keys(definitions[type]?.fields ?? {})
      .filter((field) => !known.has(field))
      .map((field) => `${type}.${field}`);
  });
  expect(missing).toEqual([]);
});

/* Writing, as far as the tests need it. */
const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))]);
const bytes = (number: number, content: Buffer | string) =>
  Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(Buffer.from(content).length)]), Buffer.from(content)]);
const int = (number: number, value: number) => Buffer.from([...varint(number << 3), ...varint(value)]);
const message = (number: number, ...fields: Buffer[]) => bytes(number, Buffer.concat(fields));
const envelope = (apiVersion: string, kind: string, ...fields: Buffer[]) =>
  Buffer.concat([Buffer.from("k8s\0"), message(1, bytes(1, apiVersion), bytes(2, kind)), message(2, ...fields)]);

describe("an object", () => {
  test("of scalars, lists, maps, numbers or texts, and times", () => {
    const port = message(1, bytes(1, "http"), bytes(2, ""), int(3, 80), message(4, int(1, 1), int(2, 0), bytes(3, "web")), int(5, 0));
    const label = (key: string, value: string) => message(11, bytes(1, key), bytes(2, value));
    const meta = message(
      1,
      bytes(1, "web"),
      bytes(2, ""),
      label("a", "b"),
      label("__proto__", "x"),
      message(8, int(1, 1_767_225_600), int(2, 0)),
    );
    const read = readProtobuf(envelope("v1", "Service", meta, message(2, port, bytes(3, ""), bytes(5, "10.0.0.1"))));
    expect(read).toEqual({
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name: "web",
        creationTimestamp: "2026-01-01T00:00:00Z",
        labels: Object.fromEntries([
          ["a", "b"],
          ["__proto__", "x"],
        ]),
      },
      spec: { ports: [{ name: "http", port: 80, targetPort: "web" }], externalIPs: ["10.0.0.1"] },
    });
  });

  test("of parts that JSON does not know, bytes, quantities and absent times", () => {
    const volume = message(1, bytes(1, "v"), message(2, message(2, bytes(1, "Memory"))));
    const resources = message(8, message(1, bytes(1, "cpu"), message(2, bytes(1, "100m"))));
    const container = message(2, bytes(1, "c"), resources);
    const read = readProtobuf(envelope("v1", "Pod", message(1, bytes(1, "p"), bytes(8, "")), message(2, volume, container)));
    expect(read).toMatchObject({
      metadata: { name: "p" },
      spec: {
        volumes: [{ name: "v", emptyDir: { medium: "Memory" } }],
        containers: [{ name: "c", resources: { limits: { cpu: "100m" } } }],
      },
    });
    const secret = readProtobuf(envelope("v1", "Secret", message(2, bytes(1, "k"), bytes(2, Buffer.from([0, 255])))));
    expect(secret["data"]).toEqual({ k: "AP8=" });
  });

  test("with fields that are newer than the server", () => {
    expect(readProtobuf(envelope("v1", "ConfigMap", bytes(1000, "x"), int(1001, 5), message(1, bytes(1, "a"))))["metadata"]).toEqual({
      name: "a",
    });
  });
});

test("anything else is refused", () => {
  expect(() => readProtobuf(Buffer.from("{}"))).toThrow("is no Kubernetes protobuf");
  expect(() => readProtobuf(envelope("v1", "Nonsense", int(1, 1)))).toThrow("the type Nonsense is not known");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (tail) => {
      try {
        readProtobuf(Buffer.concat([envelope("v1", "Pod").subarray(0, -1), Buffer.from(varint(tail.length)), tail]));
      } catch (error) {
        expect(error).toBeInstanceOf(StatusError);
      }
    }),
    { numRuns: 2000 },
  );
});

test("a definition of custom resources, with values that JSON has in either of two forms", () => {
  const schema = {
    type: "object",
    required: ["a"],
    properties: {
      a: { type: "string", maxLength: 5, default: "x", enum: ["x", null, 1], nullable: true },
      list: { type: "array", items: { type: "integer", minimum: 0.5 }, "x-kubernetes-list-type": "set" },
      tuple: { items: [{ type: "string" }, { type: "number" }], additionalItems: false },
      open: { additionalProperties: { type: "string" }, "x-kubernetes-validations": [{ rule: "self != oldSelf", optionalOldSelf: true }] },
      any: { additionalProperties: true, "x-kubernetes-preserve-unknown-fields": true, dependencies: { a: ["b"], c: { type: "object" } } },
    },
  };
  const version = {
    name: "v1",
    served: true,
    storage: true,
    schema: { openAPIV3Schema: schema },
    subresources: { status: {}, scale: { specReplicasPath: ".spec.n", statusReplicasPath: ".status.n" } },
    selectableFields: [{ jsonPath: ".spec.a" }],
  };
  const definition = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "gadgets.test.dev" },
    spec: { group: "test.dev", scope: "Namespaced", names: { plural: "gadgets", kind: "Gadget" }, versions: [version] },
  };
  expect(readProtobuf(writeProtobuf(definition))).toEqual(definition);
});
