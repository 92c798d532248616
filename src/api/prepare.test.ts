import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deepFreeze } from "../lib/freeze.ts";
import { decodeObject } from "./decode.ts";
import { fieldErrorText } from "./field-error.ts";
import type { KindSpec } from "./kind.ts";
import { kinds } from "./kinds/index.ts";
import type { KubeObject } from "./object.ts";
import { prepare, prepareStatus, type Prepared } from "./prepare.ts";
import { definition, type FieldSchema } from "./schema/schema.ts";

const context = { allowLoopbackEndpoints: false, now: 0 };

const kindOf = (definition: string): KindSpec => kinds.find((kind) => kind.definition === definition) as KindSpec;

function write(definition: string, raw: object, old?: KubeObject): Prepared {
  const kind = kindOf(definition);
  return prepare(kind, decodeObject(kind, raw, "Strict").object, old, context);
}

function stored(definition: string, raw: object, old?: KubeObject): KubeObject {
  const { object, errors } = write(definition, raw, old);
  expect(errors.map(fieldErrorText)).toEqual([]);
  return deepFreeze(object) as KubeObject;
}

const faults = (definition: string, raw: object, old?: KubeObject) => write(definition, raw, old).errors.map(fieldErrorText);

const meta = { name: "web", namespace: "default" };
const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "web:1" }] } };
const deployment = { metadata: meta, spec: { selector: { matchLabels: { app: "web" } }, template } };

describe("metadata", () => {
  const config = (metadata: object) => ({ metadata: { ...meta, ...metadata } });

  test.each<[string, object, string[]]>([
    ["no name", { name: "" }, ["metadata.name: Required value: name or generateName is required"]],
    ["no namespace", { namespace: "" }, ["metadata.namespace: Required value"]],
    [
      "a slash",
      { name: "a/b" },
      [
        "metadata.name: Invalid value: \"a/b\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and " +
          "end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      "finalizer",
      { finalizers: ["mine"] },
      ['metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified'],
    ],
    [
      "owner",
      { ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "a", uid: "" }] },
      ['metadata.ownerReferences.uid: Invalid value: "": uid must not be empty'],
    ],
    ["annotations", { annotations: { a: "x".repeat(256 * 1024) } }, ["metadata.annotations: Too long: may not be more than 262144 bytes"]],
  ])("%s", (_, metadata, errors) => expect(faults("ConfigMap", config(metadata))).toEqual(errors));

  test("a cluster-wide kind has no namespace", () => {
    expect(faults("Namespace", { metadata: { name: "a", namespace: "b" } })).toEqual([
      "metadata.namespace: Forbidden: not allowed on this type",
    ]);
  });

  test("what a client leaves out is filled in, what it may not change is refused", () => {
    const old = stored("ConfigMap", config({ uid: "1", creationTimestamp: "2026-01-01T00:00:00Z" }));
    expect(stored("ConfigMap", config({}), old).metadata).toEqual(old.metadata);
    expect(faults("ConfigMap", config({ uid: "2" }), old)).toEqual(['metadata.uid: Invalid value: "2": field is immutable']);
  });

  test("no finalizer comes to what is being deleted", () => {
    const old = {
      ...stored("ConfigMap", config({ finalizers: ["a.com/x"] })),
      metadata: { ...meta, deletionTimestamp: "2026-01-01T00:00:00Z" },
    };
    expect(faults("ConfigMap", config({ finalizers: ["a.com/y"] }), old)).toEqual([
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.com/y"}',
    ]);
  });
});

describe("generation and status", () => {
  test("a new object starts at one, without status", () => {
    const object = stored("Deployment", { ...deployment, status: { replicas: 3 } });
    expect(object).toMatchObject({ status: {}, metadata: { generation: 1 } });
  });

  test("a change of the spec counts, one of the labels does not", () => {
    const old = stored("Deployment", deployment);
    expect(stored("Deployment", { ...deployment, metadata: { ...meta, labels: { a: "b" } } }, old).metadata.generation).toBe(1);
    expect(stored("Deployment", { ...deployment, spec: { ...deployment.spec, replicas: 3 } }, old).metadata.generation).toBe(2);
  });

  test("the status subresource changes the status alone", () => {
    const old = stored("Deployment", deployment);
    const kind = kindOf("Deployment");
    const raw = { ...deployment, spec: { ...deployment.spec, replicas: 9 }, status: { replicas: 1 } };
    const { object, errors } = prepareStatus(kind, decodeObject(kind, raw, "Strict").object, old, context);
    expect(errors).toEqual([]);
    expect(object).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 1 }, metadata: { generation: 1 } });
  });
});

/** Objects of the right shape with any content: a few words and numbers that mean something somewhere, and some that do not. */
function arbitraryField(schema: FieldSchema, depth: number): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case "string":
      return fc.constantFrom(
        "",
        "web",
        "None",
        "ClientIP",
        "LoadBalancer",
        "Recreate",
        "10.0.0.1",
        "fd00::1/64",
        "../x",
        "metadata.labels['a']",
        "25%",
      );
    case "boolean":
      return fc.boolean();
    case "int32":
    case "int64":
    case "double":
      return fc.constantFrom(-1, 0, 1, 80, 70000);
    case "intOrString":
      return fc.constantFrom<string | number>(0, 80, "http", "0%", "200%");
    case "quantity":
      return fc.constantFrom("0", "1", "500m", "-1Gi");
    case "bytes":
      return fc.constantFrom("", "YQ==");
    case "time":
    case "microTime":
      return fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001+02:00");
    case "any":
      return fc.jsonValue({ maxDepth: 1 });
    case "object":
      return arbitraryOf(schema.ref as string, depth - 1);
    case "list":
      return fc.array(arbitraryField(schema.items as FieldSchema, depth - 1), { maxLength: depth > 0 ? 3 : 0 });
    case "map":
      return fc.dictionary(fc.constantFrom("app", "a/b", "a b"), arbitraryField(schema.values as FieldSchema, depth - 1), { maxKeys: 2 });
    default:
      return schema.type satisfies never;
  }
}

function arbitraryOf(name: string, depth: number): fc.Arbitrary<object> {
  if (depth <= 0) return fc.constant({});
  const fields = Object.entries(definition(name).fields).filter(([field]) => field !== "kind" && field !== "apiVersion");
  return fc.record(Object.fromEntries(fields.map(([field, schema]) => [field, arbitraryField(schema, depth)])), { requiredKeys: [] });
}

describe("nothing that decodes makes the code of a kind throw:", () => {
  test.each(kinds.map((kind) => [kind.definition, kind] as const))("%s", (_, kind) => {
    const object = arbitraryOf(kind.definition, 7);
    fc.assert(
      fc.property(object, object, (first, second) => {
        const decode = (raw: object) =>
          decodeObject(kind, { ...raw, metadata: { ...meta, ...(raw as KubeObject).metadata } }, "Strict").object;
        const old = deepFreeze(prepare(kind, decode(first), undefined, context).object) as KubeObject;
        prepareStatus(kind, decode(second), old, context);
        const prepared = prepare(kind, decode(second), old, context);
        const next = prepared.object as KubeObject;
        if (prepared.errors.length > 0) return;
        for (const column of kind.columns) expect(column.cell(next, 0)).toBeDefined();
        for (const read of Object.values(kind.selectableFields ?? {})) expect(typeof read(next)).toBe("string");
        kind.warnings?.(next, old);
      }),
      { numRuns: 60 },
    );
  });
});
