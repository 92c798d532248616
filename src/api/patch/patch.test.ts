import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StatusError } from "../status.ts";
import type { Deployment, Service } from "../types.ts";
import { jsonEqual } from "./json-value.ts";
import { applyConflictError, applyPatch, serverSideApply, trackUpdate } from "./index.ts";
import { jsonPatch } from "./json.ts";
import { mergePatch } from "./merge.ts";
import { strategicMergePatch } from "./strategic.ts";

const code = (act: () => unknown): number => {
  try {
    act();
  } catch (error) {
    if (error instanceof StatusError) return error.code;
    throw error;
  }
  return 0;
};

describe("merge patch (RFC 7386, appendix A)", () => {
  test.each([
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"],
    ],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, "bar", "bar"],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])("%j with %j is %j", (target, patch, want) => expect(mergePatch(target, patch)).toEqual(want));

  test("twice is once", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (target, patch) =>
        jsonEqual(mergePatch(mergePatch(target, patch), patch), mergePatch(target, patch)),
      ),
    );
  });
});

describe("JSON patch (RFC 6902, appendix A)", () => {
  test.each([
    [{ foo: "bar" }, [{ op: "add", path: "/baz", value: "qux" }], { foo: "bar", baz: "qux" }],
    [{ foo: ["bar", "baz"] }, [{ op: "add", path: "/foo/1", value: "qux" }], { foo: ["bar", "qux", "baz"] }],
    [{ baz: "qux", foo: "bar" }, [{ op: "remove", path: "/baz" }], { foo: "bar" }],
    [{ foo: ["bar", "qux", "baz"] }, [{ op: "remove", path: "/foo/1" }], { foo: ["bar", "baz"] }],
    [{ baz: "qux" }, [{ op: "replace", path: "/baz", value: "boo" }], { baz: "boo" }],
    [
      { foo: { bar: "baz", waldo: "fred" }, qux: { corge: "grault" } },
      [{ op: "move", from: "/foo/waldo", path: "/qux/thud" }],
      { foo: { bar: "baz" }, qux: { corge: "grault", thud: "fred" } },
    ],
    [{ foo: ["all", "grass", "cows", "eat"] }, [{ op: "move", from: "/foo/1", path: "/foo/3" }], { foo: ["all", "cows", "eat", "grass"] }],
    [
      { baz: "qux", foo: ["a", 2, "c"] },
      [
        { op: "test", path: "/baz", value: "qux" },
        { op: "test", path: "/foo/1", value: 2 },
      ],
      { baz: "qux", foo: ["a", 2, "c"] },
    ],
    [{ foo: "bar" }, [{ op: "add", path: "/child", value: { grandchild: {} } }], { foo: "bar", child: { grandchild: {} } }],
    [{ "/": 9, "~1": 10 }, [{ op: "test", path: "/~01", value: 10 }], { "/": 9, "~1": 10 }],
    [{ foo: ["bar"] }, [{ op: "add", path: "/foo/-", value: ["abc", "def"] }], { foo: ["bar", ["abc", "def"]] }],
    [
      { a: { b: 1 } },
      [
        { op: "copy", from: "/a", path: "/c" },
        { op: "replace", path: "/c/b", value: 2 },
      ],
      { a: { b: 1 }, c: { b: 2 } },
    ],
  ])("%j with %j", (target, patch, want) => {
    const before = structuredClone(target);
    expect(jsonPatch(target, patch)).toEqual(want);
    expect(target).toEqual(before);
  });

  test.each([
    [{ baz: "qux" }, [{ op: "test", path: "/baz", value: "bar" }], 422],
    [{ foo: "bar" }, [{ op: "add", path: "/baz/bat", value: "qux" }], 422],
    [{ foo: [1] }, [{ op: "add", path: "/foo/2", value: 1 }], 422],
    [{ a: 1 }, [{ op: "replace", path: "/b", value: 1 }], 422],
    [{ a: {} }, [{ op: "move", from: "/a", path: "/a/b" }], 422],
    [{}, { op: "add" }, 400],
    [{}, [{ op: "jump", path: "" }], 400],
    [{}, [{ op: "add", path: "a", value: 1 }], 400],
    [{}, [{ op: "add", path: "/a" }], 400],
    [{}, Array.from({ length: 10_001 }, () => ({ op: "test", path: "", value: {} })), 413],
  ])("%j with %j is refused", (target, patch, want) => expect(code(() => jsonPatch(target, patch))).toBe(want));

  test("keys of Object.prototype are plain keys", () => {
    const patched = jsonPatch({}, [{ op: "add", path: "/__proto__", value: { polluted: true } }]) as object;
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(Object.keys(patched)).toEqual(["__proto__"]);
  });
});

describe("strategic merge patch", () => {
  const service = {
    spec: {
      ports: [
        { name: "a", port: 80 },
        { name: "b", port: 81 },
      ],
      selector: { app: "web" },
      externalIPs: ["1.1.1.1"],
    },
  };
  const patched = (patch: unknown) => (strategicMergePatch(service, patch, "Service") as typeof service).spec;

  test("lists merge by their key, others are replaced", () => {
    expect(patched({ spec: { ports: [{ port: 80, targetPort: 8080 }, { port: 82 }] } }).ports).toEqual([
      { name: "a", port: 80, targetPort: 8080 },
      { name: "b", port: 81 },
      { port: 82 },
    ]);
    expect(patched({ spec: { externalIPs: ["2.2.2.2"] } }).externalIPs).toEqual(["2.2.2.2"]);
  });

  test("directives", () => {
    expect(patched({ spec: { ports: [{ port: 80, $patch: "delete" }] } }).ports).toEqual([{ name: "b", port: 81 }]);
    expect(patched({ spec: { ports: [{ port: 90 }, { $patch: "replace" }] } }).ports).toEqual([{ port: 90 }]);
    expect(patched({ spec: { selector: { $patch: "replace", tier: "x" } } }).selector).toEqual({ tier: "x" });
    expect(patched({ spec: { "$setElementOrder/ports": [{ port: 81 }, { port: 80 }] } }).ports.map(({ port }) => port)).toEqual([81, 80]);
    expect(
      strategicMergePatch(
        { metadata: { finalizers: ["a", "b"] } },
        { metadata: { "$deleteFromPrimitiveList/finalizers": ["a"], finalizers: ["c"] } },
        "Service",
      ),
    ).toEqual({ metadata: { finalizers: ["b", "c"] } });
    expect(
      strategicMergePatch(
        { spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } } },
        { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } },
        "Deployment",
      ),
    ).toEqual({ spec: { strategy: { type: "Recreate" } } });
  });

  test("faults are refused with 400 or 422", () => {
    expect(code(() => patched({ spec: { ports: [{ targetPort: 1 }] } }))).toBe(422);
    expect(code(() => patched({ spec: { $patch: "explode" } }))).toBe(400);
    expect(code(() => patched([]))).toBe(400);
  });

  test("an object as its own patch changes nothing", () => {
    expect(strategicMergePatch(service, service, "Service")).toEqual(service);
  });
});

describe("server-side apply", () => {
  const base = { apiVersion: "apps/v1", definition: "Deployment", force: false, time: "2026-01-01T00:00:00Z" };
  const deployment = (spec: object): Deployment => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: spec as never,
  });
  const containers = (...list: object[]) => ({ template: { spec: { containers: list } } });

  test("an applier owns what it applied, and applying twice is applying once", () => {
    const applied = deployment({ replicas: 3, ...containers({ name: "a", image: "x", ports: [{ containerPort: 80 }] }) });
    const first = serverSideApply({ ...base, live: undefined, applied, manager: "me" });
    expect(first.conflicts).toEqual([]);
    expect(first.object.metadata.managedFields).toEqual([
      {
        manager: "me",
        operation: "Apply",
        apiVersion: "apps/v1",
        time: "2026-01-01T00:00:00Z",
        fieldsType: "FieldsV1",
        fieldsV1: {
          "f:spec": {
            "f:replicas": {},
            "f:template": {
              "f:spec": {
                "f:containers": {
                  'k:{"name":"a"}': {
                    ".": {},
                    "f:name": {},
                    "f:image": {},
                    "f:ports": { 'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} } },
                  },
                },
              },
            },
          },
        },
      },
    ]);
    expect(serverSideApply({ ...base, live: first.object, applied, manager: "me", time: "2027-01-01T00:00:00Z" }).object).toEqual(
      first.object,
    );
  });

  test("another's field is a conflict, with upstream's message; force takes it over", () => {
    const live = serverSideApply({ ...base, live: undefined, applied: deployment({ replicas: 3 }), manager: "first" }).object;
    const request = { ...base, live, applied: deployment({ replicas: 5 }), manager: "second" };
    const refused = serverSideApply(request);
    expect(refused.conflicts).toEqual([{ message: 'conflict with "first"', field: ".spec.replicas" }]);
    expect(applyConflictError(refused.conflicts).message).toBe('Apply failed with 1 conflict: conflict with "first": .spec.replicas');
    const forced = serverSideApply({ ...request, force: true });
    expect((forced.object as Deployment).spec?.replicas).toBe(5);
    expect(forced.object.metadata.managedFields?.map(({ manager }) => manager)).toEqual(["second"]);
  });

  test("the same value by two appliers is shared, and stays until both give it up", () => {
    const one = serverSideApply({ ...base, live: undefined, applied: deployment({ replicas: 3, paused: true }), manager: "one" }).object;
    const both = serverSideApply({ ...base, live: one, applied: deployment({ replicas: 3 }), manager: "two" });
    expect(both.conflicts).toEqual([]);
    const without = serverSideApply({ ...base, live: both.object, applied: deployment({}), manager: "one" }).object as Deployment;
    expect(without.spec).toEqual({ replicas: 3 });
    expect(
      (serverSideApply({ ...base, live: without, applied: deployment({}), manager: "two" }).object as Deployment).spec?.replicas,
    ).toBeUndefined();
  });

  test("an item that its applier gave up goes, others stay", () => {
    const one = serverSideApply({
      ...base,
      live: undefined,
      applied: deployment(containers({ name: "a", image: "x" }, { name: "b", image: "y" })),
      manager: "one",
    }).object;
    const two = serverSideApply({ ...base, live: one, applied: deployment(containers({ name: "c", image: "z" })), manager: "two" }).object;
    const left = serverSideApply({ ...base, live: two, applied: deployment(containers({ name: "b", image: "y" })), manager: "one" })
      .object as Deployment;
    expect(left.spec?.template.spec?.containers.map(({ name }) => name).sort()).toEqual(["b", "c"]);
  });

  test("an update takes fields over and drops what it removed from everyone", () => {
    const live = serverSideApply({ ...base, live: undefined, applied: deployment({ replicas: 3, paused: true }), manager: "one" })
      .object as Deployment;
    const after: Deployment = { ...live, spec: { replicas: 4 } as never };
    const entries = trackUpdate({
      before: live,
      after,
      manager: "kubectl",
      apiVersion: "apps/v1",
      definition: "Deployment",
      time: "2026-02-02T00:00:00Z",
    });
    expect(entries?.map(({ manager, operation, fieldsV1 }) => [manager, operation, fieldsV1])).toEqual([
      ["kubectl", "Update", { "f:spec": { "f:replicas": {} } }],
    ]);
    expect(trackUpdate({ before: live, after: live, manager: "x", apiVersion: "apps/v1", definition: "Deployment", time: "t" })).toBe(
      live.metadata.managedFields,
    );
  });

  test("a create owns all of it, maps and items included", () => {
    const after: Service = {
      metadata: { name: "web", labels: { a: "b" } },
      spec: { ports: [{ port: 80, protocol: "TCP" }], selector: { app: "web" } },
    };
    expect(
      trackUpdate({ before: undefined, after, manager: "kubectl-create", apiVersion: "v1", definition: "Service", time: "t" })?.[0]
        ?.fieldsV1,
    ).toEqual({
      "f:metadata": { "f:labels": { ".": {}, "f:a": {} } },
      "f:spec": { "f:ports": { ".": {}, 'k:{"port":80,"protocol":"TCP"}': { ".": {}, "f:port": {}, "f:protocol": {} } }, "f:selector": {} },
    });
  });

  test("laws: disjoint appliers never conflict; what was applied is there", () => {
    const config = fc.record({
      replicas: fc.option(fc.nat(9), { nil: undefined }),
      minReadySeconds: fc.option(fc.nat(9), { nil: undefined }),
      labels: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom("1", "2")),
    });
    fc.assert(
      fc.property(config, config, (x, y) => {
        const of = (who: string, { labels, ...spec }: typeof x): Deployment => ({
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name: "web", labels: Object.fromEntries(Object.entries(labels).map(([key, value]) => [`${who}-${key}`, value])) },
          spec: (who === "x" ? { replicas: spec.replicas } : { minReadySeconds: spec.minReadySeconds }) as never,
        });
        const one = serverSideApply({ ...base, live: undefined, applied: of("x", x), manager: "x" }).object;
        const two = serverSideApply({ ...base, live: one, applied: of("y", y), manager: "y" });
        expect(two.conflicts).toEqual([]);
        expect(two.object.metadata.labels).toEqual({ ...of("x", x).metadata.labels, ...of("y", y).metadata.labels });
      }),
    );
  });
});

test("applyPatch takes the type by its media type", () => {
  expect(applyPatch({ a: 1 }, { a: null }, "application/merge-patch+json", "Service")).toEqual({});
});
