import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { locate, readManifests, type Manifest } from "./manifest.ts";

const read = (text: string) => readManifests(text, "app.yaml");

test("several documents, empty ones skipped, lists opened", async () => {
  const { objects, errors } = await read(`# only a comment
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: c
`);
  expect(errors).toEqual([]);
  expect(objects.map(({ object, line }) => [object.metadata.name, line])).toEqual([
    ["a", 3],
    ["b", 11],
    ["c", 12],
  ]);
});

test("JSON is read too", async () => {
  const { objects } = await read(JSON.stringify({ apiVersion: "v1", kind: "Service", metadata: { name: "x" } }, null, 2));
  expect(objects[0]?.object.kind).toBe("Service");
});

describe("what is wrong is named at its place, and does not stop the others", () => {
  test.each([
    ["apiVersion: v1\nkind: [", 3, 1],
    ["apiVersion: v1\nkind: A\nkind: B\n", 3, 1],
    ["a: b: c", 1, 4],
    ["- a\n- b\n", 1, 1],
    ["just text", 1, 1],
    ["kind: Service\nmetadata: {name: x}", 1, 1],
    ["apiVersion: v1\nkind: Service\nmetadata: name", 3, 11],
    ["a: &a [x]\nb: *missing", 1, 1],
  ])("%j", async (text, line, column) => {
    const { objects, errors } = await read(`${text}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine}\n`);
    expect(errors.map((error) => [error.source, error.line, error.column])).toEqual([["app.yaml", line, column]]);
    expect(objects.map(({ object }) => object.metadata.name)).toEqual(["fine"]);
  });

  test("aliases that grow without end", async () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${"bcdefgh"
      .split("")
      .map((name, i) => `${name}: &${name} [${Array(10).fill(`*${"abcdefg"[i]}`).join(",")}]`)
      .join("\n")}\n`;
    const { errors } = await read(`apiVersion: v1\nkind: ConfigMap\n${bomb}`);
    expect(errors[0]?.message).toMatch(/alias/i);
  });
});

test("scalars are read as kubectl reads them", async () => {
  const { objects } = await read(
    "apiVersion: v1\nkind: X\nmetadata: {}\na: yes\nb: off\nc: 0o17\nd: 1e3\ne: 'yes'\nf: 2026-01-01\ng: ~\nh: on\ni: 0644\nj: 1_000\nk: -0b11\nl: '0644'\nm: 089\no: 0\n",
  );
  expect(objects[0]?.object).toMatchObject({
    a: true,
    b: false,
    c: 15,
    d: 1000,
    e: "yes",
    f: "2026-01-01",
    g: null,
    h: true,
    i: 420,
    j: 1000,
    k: -3,
    l: "0644",
    m: 89,
    o: 0,
  });
});

test("fields of API errors are found in the text", async () => {
  const { objects } = await read(`apiVersion: v1
kind: Service
metadata:
  name: web
  labels:
    app.kubernetes.io/name: web
spec:
  ports:
    - port: 80
    - name: x
      port: 70000
`);
  const manifest = objects[0] as Manifest;
  expect(locate(manifest, "spec.ports[1].port")).toEqual({ line: 11, column: 13 });
  expect(locate(manifest, "spec.ports[1].protocol")).toEqual({ line: 10, column: 7 });
  expect(locate(manifest, "metadata.labels[app.kubernetes.io/name]")).toEqual({ line: 6, column: 29 });
  expect(locate(manifest, "")).toEqual({ line: 1, column: 1 });
});

test("no text makes the reader throw", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({
        unit: fc.constantFrom("a", ":", " ", "\n", "-", "{", "}", "[", "]", "&", "*", "!", "|", ">", '"', "'", "#", "?", ",", "\t"),
      }),
      async (text) => void (await read(text)),
    ),
  );
});
