import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { events, TestServer } from "./testing.ts";

let api: TestServer;
const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const gadgets = "/apis/example.com/v1/namespaces/default/gadgets";

const schema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      required: ["size"],
      properties: {
        size: { type: "integer", minimum: 1, maximum: 9 },
        colour: { type: "string", enum: ["red", "blue"], default: "red" },
        name: { type: "string", pattern: "^[a-z]+$", maxLength: 5 },
        replicas: { type: "integer", default: 1 },
        parts: {
          type: "array",
          maxItems: 3,
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["id"],
          items: { type: "object", required: ["id"], properties: { id: { type: "string" }, weight: { type: "number", default: 1 } } },
        },
        either: { "x-kubernetes-int-or-string": true },
        free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        empty: { type: "string", nullable: true },
      },
      oneOf: [{ required: ["colour"] }],
    },
    status: { type: "object", properties: { replicas: { type: "integer" }, phase: { type: "string" } }, default: { phase: "New" } },
  },
};

function definition(more: object = {}, versions: readonly object[] = []) {
  const version = {
    name: "v1",
    served: true,
    storage: true,
    schema: { openAPIV3Schema: schema },
    subresources: { status: {}, scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" } },
    additionalPrinterColumns: [
      { name: "Size", type: "integer", jsonPath: ".spec.size" },
      { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
      { name: "Weight", type: "number", jsonPath: '.spec.parts[?(@.id=="b")].weight', priority: 1 },
    ],
    selectableFields: [{ jsonPath: ".spec.colour" }],
  };
  return {
    metadata: { name: "gadgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "gadgets", kind: "Gadget", shortNames: ["gd"] },
      versions: [version, ...versions],
      ...more,
    },
  };
}

const gadget = (name: string, spec: object = { size: 3 }, more: object = {}) => ({
  apiVersion: "example.com/v1",
  kind: "Gadget",
  metadata: { name },
  spec,
  ...more,
});

beforeEach(async () => {
  api = new TestServer();
  await api.server.start();
});
afterEach(() => api.server.stop());

describe("a definition", () => {
  test("is established at once, and served from the next request on", async () => {
    expect((await api.get(gadgets)).status).toBe(404);
    const { status, body } = await api.post(definitions, definition());
    expect(status).toBe(201);
    expect(body.status).toMatchObject({
      storedVersions: ["v1"],
      acceptedNames: { plural: "gadgets", singular: "gadget", listKind: "GadgetList" },
    });
    expect(body.status.conditions.map((one: { type: string; status: string }) => [one.type, one.status])).toEqual([
      ["NamesAccepted", "True"],
      ["Established", "True"],
    ]);
    expect((await api.get(gadgets)).body).toMatchObject({ kind: "GadgetList", items: [] });
    const { resources } = (await api.get("/apis/example.com/v1")).body;
    expect(resources.map((one: { name: string }) => one.name)).toEqual(["gadgets", "gadgets/status", "gadgets/scale"]);
    const openApi = (await api.get("/openapi/v3/apis/example.com/v1")).body.components.schemas["com.example.v1.Gadget"];
    expect(openApi.properties.spec.properties.size).toEqual({ type: "integer", minimum: 1, maximum: 9 });
  });

  test.each([
    [{ group: "example.org" }, 'metadata.name: Invalid value: "gadgets.example.com": must be spec.names.plural+"."+spec.group'],
    [{ scope: "Nowhere" }, "spec.scope: Required value"],
    [
      { versions: [{ name: "v1", served: true, storage: false, schema: { openAPIV3Schema: { type: "object" } } }] },
      "must have exactly one version marked as storage version",
    ],
    [
      { versions: [{ name: "v1", served: true, storage: true }] },
      "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
    ],
    [{ conversion: { strategy: "Webhook" } }, "conversion webhooks are not supported by this server"],
  ])("is refused with %j", async (spec, message) => {
    const { status, body } = await api.post(definitions, definition(spec));
    expect([status, body.message]).toEqual([422, expect.stringContaining(message)]);
  });

  test("with rules that cannot be read says which", async () => {
    const ruled = {
      ...schema,
      "x-kubernetes-validations": [{ rule: "self.spec.size > 1" }, { rule: "self ?? 1" }, { rule: "unknown(self)" }],
    };
    const version = { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: ruled } };
    const { headers } = await api.post(definitions, definition({ versions: [version] }));
    expect(String(headers["warning"])).toContain('this server does not evaluate the rule \\"self ?? 1\\"');
    expect(String(headers["warning"])).not.toContain("size > 1");
  });

  test("that goes takes its objects along", async () => {
    await api.post(definitions, definition());
    await api.post(gadgets, gadget("a"));
    await api.remove(`${definitions}/gadgets.example.com`);
    await expect.poll(async () => (await api.get(`${definitions}/gadgets.example.com`)).status).toBe(404);
    expect((await api.get(gadgets)).status).toBe(404);
    await api.post(definitions, definition());
    expect((await api.get(gadgets)).body.items).toEqual([]);
  });
});

describe("an object", () => {
  beforeEach(async () => void (await api.post(definitions, definition())));

  test("gets defaults, loses what no schema knows, and keeps what may be anything", async () => {
    const spec = { size: 3, unknown: 1, free: { any: [{ thing: null }] }, empty: null, either: "50%", parts: [{ id: "a", more: 1 }] };
    const { body, headers } = await api.post(gadgets, gadget("a", spec, { status: { phase: "Mine" } }));
    expect(body.spec).toEqual({
      size: 3,
      colour: "red",
      replicas: 1,
      free: { any: [{ thing: null }] },
      empty: null,
      either: "50%",
      parts: [{ id: "a", weight: 1 }],
    });
    expect(body.status).toEqual({ phase: "New" });
    expect(body.metadata.generation).toBe(1);
    expect(headers["warning"]).toEqual(['299 - "unknown field \\"spec.unknown\\""', '299 - "unknown field \\"spec.parts[0].more\\""']);
    expect((await api.post(`${gadgets}?fieldValidation=Strict`, gadget("b", { size: 1, unknown: 1 }))).status).toBe(400);
  });

  test.each([
    [{}, "spec.size: Required value"],
    [{ size: "3" }, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'],
    [{ size: 0 }, "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"],
    [{ size: 10 }, "should be less than or equal to 9"],
    [{ size: 1, colour: "green" }, 'spec.colour: Unsupported value: "green": supported values: "blue", "red"'],
    [{ size: 1, name: "A" }, "spec.name: Invalid value: \"A\": spec.name in body should match '^[a-z]+$'"],
    [{ size: 1, name: "abcdef" }, "spec.name: Too long: may not be more than 5 bytes"],
    [{ size: 1, parts: [{ id: "a" }, { id: "a" }] }, 'spec.parts[1]: Duplicate value: {"id":"a"}'],
    [{ size: 1, parts: "none" }, "spec.parts in body must be of type array"],
    [{ size: 1, parts: [{}, {}, {}, {}] }, "spec.parts: Too many: 4: must have at most 3 items"],
    [{ size: 1, either: true }, "spec.either in body must be of type integer,string"],
    [{ size: 1, free: 1 }, "spec.free in body must be of type object"],
  ])("%j is refused: %s", async (spec, message) => {
    const { status, body } = await api.post(gadgets, gadget("a", spec));
    expect([status, body.message]).toEqual([422, expect.stringContaining(message)]);
  });

  test("is patched, applied by several, and counted", async () => {
    await api.post(gadgets, gadget("a"));
    expect((await api.patch(`${gadgets}/a`, { spec: { size: 4 } })).body.metadata.generation).toBe(2);
    expect((await api.patch(`${gadgets}/a`, { metadata: { labels: { a: "b" } } })).body.metadata.generation).toBe(2);
    expect((await api.patch(`${gadgets}/a`, {}, "application/strategic-merge-patch+json")).status).toBe(415);
    const apply = (manager: string, spec: object) =>
      api.ask("PATCH", `${gadgets}/b?fieldManager=${manager}`, { body: gadget("b", spec), type: "application/apply-patch+yaml" });
    await apply("one", { size: 1, parts: [{ id: "a", weight: 2 }] });
    await apply("two", { size: 1, parts: [{ id: "b", weight: 3 }] });
    expect((await api.get(`${gadgets}/b`)).body.spec.parts).toEqual([
      { id: "a", weight: 2 },
      { id: "b", weight: 3 },
    ]);
    expect((await apply("two", { size: 2, parts: [] })).body.message).toContain('conflict with "one": .spec.size');
  });

  test("has its status and its scale by themselves, columns and selectable fields", async () => {
    await api.post(gadgets, gadget("a", { size: 3, parts: [{ id: "b", weight: 0.5 }] }));
    const status = await api.put(`${gadgets}/a/status`, gadget("a", { size: 7 }, { status: { phase: "Up", replicas: 2 } }));
    expect([status.body.spec.size, status.body.status.phase]).toEqual([3, "Up"]);
    expect((await api.get(`${gadgets}/a/scale`)).body).toMatchObject({ kind: "Scale", spec: { replicas: 1 }, status: { replicas: 2 } });
    await api.patch(`${gadgets}/a/scale`, { spec: { replicas: 5 } });
    expect((await api.get(`${gadgets}/a`)).body.spec.replicas).toBe(5);
    const table = await api.get(gadgets, { headers: { accept: "application/json;as=Table;g=meta.k8s.io;v=v1" } });
    expect(table.body.columnDefinitions.map((one: { name: string }) => one.name)).toEqual(["Name", "Size", "Age", "Weight"]);
    expect(table.body.rows[0].cells).toEqual(["a", 3, "0s", 0.5]);
    expect((await api.get(`${gadgets}?fieldSelector=spec.colour=red`)).body.items).toHaveLength(1);
    expect((await api.get(`${gadgets}?fieldSelector=spec.colour=blue`)).body.items).toHaveLength(0);
  });
});

test("versions are one object: read, watched and written in each", async () => {
  const old = { name: "v1beta1", served: true, storage: false, deprecated: true, schema: { openAPIV3Schema: schema } };
  await api.post(definitions, definition({}, [old]));
  const before = gadgets.replace("/v1/", "/v1beta1/");
  const created = await api.post(before, { ...gadget("a"), apiVersion: "example.com/v1beta1" });
  expect([created.status, created.body.apiVersion]).toEqual([201, "example.com/v1beta1"]);
  expect(String(created.headers["warning"])).toContain("example.com/v1beta1 Gadget is deprecated");
  expect((await api.get(`${gadgets}/a`)).body.apiVersion).toBe("example.com/v1");
  const list = await api.get(before);
  expect([list.body.apiVersion, list.body.items[0].apiVersion]).toEqual(["example.com/v1beta1", "example.com/v1beta1"]);
  const [event] = await events(await api.raw("GET", `${before}?watch=true`), 1);
  expect(event?.object.apiVersion).toBe("example.com/v1beta1");
});

describe("rules in CEL", () => {
  const rules = (...texts: (string | object)[]) => ({
    "x-kubernetes-validations": texts.map((one) => (typeof one === "string" ? { rule: one } : one)),
  });
  const ruled = {
    type: "object",
    properties: {
      spec: {
        type: "object",
        ...rules(
          { rule: "self.min <= self.max", message: "min must not be above max" },
          {
            rule: "!has(self.note) || self.note.size() < 5",
            messageExpression: "'note is ' + string(self.note.size()) + ' long'",
            fieldPath: ".note",
          },
          { rule: "self.kind == oldSelf.kind", message: "kind is immutable", reason: "FieldValueForbidden" },
        ),
        properties: {
          min: { type: "integer" },
          max: { type: "integer" },
          kind: { type: "string", default: "a" },
          note: { type: "string" },
          "dashed-name": { type: "string", ...rules("self.startsWith('x')") },
          addresses: { type: "array", items: { type: "string", ...rules("isIP(self)") } },
          parts: {
            type: "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["id"],
            ...rules("self.all(a, self.exists_one(b, a.id == b.id))"),
            items: {
              type: "object",
              ...rules("self.size >= oldSelf.size"),
              properties: { id: { type: "string" }, size: { type: "integer" } },
            },
          },
        },
      },
    },
    ...rules("!has(self.spec) || self.metadata.name.startsWith('g')", "!has(self.spec.dashed__dash__name) || self.spec.kind == 'a'"),
  };
  const version = { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: ruled } };
  const spec = { min: 1, max: 2 };

  beforeEach(async () => {
    const { status, headers } = await api.post(definitions, definition({ versions: [version] }));
    expect([status, headers["warning"]]).toEqual([201, undefined]);
  });

  test.each([
    ["g", spec, 201, ""],
    ["g", { min: 3, max: 2 }, 422, 'spec: Invalid value: "object": min must not be above max'],
    ["g", { ...spec, note: "longer" }, 422, 'spec.note: Invalid value: "object": note is 6 long'],
    ["x", spec, 422, "failed rule: !has(self.spec) || self.metadata.name.startsWith('g')"],
    ["g", { ...spec, "dashed-name": "y" }, 422, "spec.dashed-name: Invalid value: \"y\": failed rule: self.startsWith('x')"],
    ["g", { ...spec, addresses: ["10.0.0.1", "none"] }, 422, 'spec.addresses[1]: Invalid value: "none": failed rule: isIP(self)'],
    ["g", { min: 1 }, 422, "rule evaluation error: No such key: max"],
  ])("%s with %j: %s %s", async (name, given, code, message) => {
    const { status, body } = await api.post(gadgets, gadget(name, given));
    expect([status, body.message ?? ""]).toEqual([code, expect.stringContaining(message)]);
  });

  test("of a change look at what was there before, item by item", async () => {
    await api.post(
      gadgets,
      gadget("g", {
        ...spec,
        parts: [
          { id: "a", size: 1 },
          { id: "b", size: 5 },
        ],
      }),
    );
    const put = async (given: object) => (await api.put(`${gadgets}/g`, gadget("g", given))).body.message ?? "";
    expect(await put({ ...spec, kind: "b" })).toContain("spec: Forbidden: kind is immutable");
    expect(
      await put({
        ...spec,
        parts: [
          { id: "b", size: 4 },
          { id: "a", size: 2 },
        ],
      }),
    ).toContain("spec.parts[0]: Invalid value");
    expect(
      await put({
        ...spec,
        parts: [
          { id: "b", size: 6 },
          { id: "c", size: 0 },
        ],
      }),
    ).toBe("");
  });
});
