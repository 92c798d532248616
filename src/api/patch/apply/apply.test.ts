import { assert, constantFrom, dictionary, property, record, array, option, type Arbitrary } from "fast-check";
import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../object.ts";
import { StatusError } from "../../status.ts";
import type { Deployment, ManagedFieldsEntry, Service } from "../../types.ts";
import { applyConflictError } from "../index.ts";
import { serverSideApply, type ApplyRequest, type ApplyResult } from "./apply.ts";
import { isFieldSet } from "./field-set.ts";
import { trackUpdate } from "./track.ts";

const time = "2026-01-01T00:00:00Z";
const ofDeployments = { apiVersion: "apps/v1", definition: "Deployment", time };
const ofServices = { apiVersion: "v1", definition: "Service", time };

const service = (spec: object, metadata: object = {}): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "default", ...metadata },
  spec,
});

const withContainers = (...containers: object[]): Deployment => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web" },
  spec: { selector: {}, template: { spec: { containers: containers as never } } },
});

function apply(live: KubeObject | undefined, applied: KubeObject, manager: string, more: Partial<ApplyRequest> = {}): ApplyResult {
  const kind = applied.kind === "Service" ? ofServices : ofDeployments;
  return serverSideApply({ ...kind, live, applied, manager, force: false, ...more });
}

function updated(before: KubeObject | undefined, after: KubeObject, manager: string, subresource?: string): KubeObject {
  const kind = after.kind === "Service" ? ofServices : ofDeployments;
  const entries = trackUpdate({ ...kind, before, after, manager, subresource });
  const { managedFields: _, ...metadata } = after.metadata;
  return { ...after, metadata: entries === undefined ? metadata : { ...metadata, managedFields: entries } };
}

const fieldsOfManager = (object: KubeObject, name: string) =>
  object.metadata.managedFields?.find(({ manager }) => manager === name)?.fieldsV1;

describe("what an applier gives up goes", () => {
  const probe = { httpGet: { path: "/", port: 80 } };
  const defaulted = { imagePullPolicy: "Always", terminationMessagePath: "/dev/termination-log" };

  test("an item with the defaults that the server put into it", () => {
    const first = apply(undefined, withContainers({ name: "a", image: "x" }, { name: "b", image: "y" }), "me").object as Deployment;
    const live = {
      ...first,
      spec: { ...withContainers({ name: "a", image: "x", ...defaulted }, { name: "b", image: "y", ...defaulted }).spec },
    };
    const left = apply(live as Deployment, withContainers({ name: "a", image: "x" }), "me").object as Deployment;
    expect(left.spec?.template.spec?.containers).toEqual([{ name: "a", image: "x", ...defaulted }]);
  });

  test("a struct with its defaults, while its neighbours stay", () => {
    const first = apply(undefined, withContainers({ name: "a", image: "x", readinessProbe: probe }), "me").object as Deployment;
    const spec = withContainers({ name: "a", image: "x", ...defaulted, readinessProbe: { ...probe, periodSeconds: 10 } }).spec;
    const left = apply({ ...first, spec } as Deployment, withContainers({ name: "a", image: "x" }), "me").object as Deployment;
    expect(left.spec?.template.spec?.containers).toEqual([{ name: "a", image: "x", ...defaulted }]);
  });

  test("but not what another one owns in it", () => {
    const first = apply(undefined, withContainers({ name: "a", image: "x", readinessProbe: probe }), "me").object as Deployment;
    const spec = withContainers({ name: "a", image: "x", readinessProbe: { ...probe, periodSeconds: 3 } }).spec;
    const live = updated(first, { ...first, spec } as Deployment, "operator");
    const left = apply(live, withContainers({ name: "a", image: "x" }), "me").object as Deployment;
    expect(left.spec?.template.spec?.containers[0]?.readinessProbe).toEqual({ periodSeconds: 3 });
  });

  test("all labels, and the object's name stays", () => {
    const first = apply(undefined, service({ type: "ClusterIP" }, { labels: { a: "b" } }), "me").object;
    const left = apply(first, service({ type: "ClusterIP" }), "me").object;
    expect(left.metadata.labels).toBeUndefined();
    expect(left.metadata.name).toBe("web");
  });
});

describe("conflicts", () => {
  test("with an update name its version, several are listed by owner", () => {
    const live = updated(undefined, service({ type: "ClusterIP", sessionAffinity: "None" }), "kubectl");
    const refused = apply(live, service({ type: "NodePort", sessionAffinity: "ClientIP" }), "me");
    const error = applyConflictError(refused.conflicts);
    expect(error.code).toBe(409);
    expect(error.message).toBe('Apply failed with 2 conflicts: conflicts with "kubectl" using v1:\n- .spec.sessionAffinity\n- .spec.type');
    expect(error.status.details?.causes?.[0]).toEqual({
      reason: "FieldManagerConflict",
      message: 'conflict with "kubectl" using v1',
      field: ".spec.sessionAffinity",
    });
  });

  test("a subresource is told", () => {
    const before: Service = { ...service({ type: "LoadBalancer" }) };
    const created = updated(undefined, before, "me");
    const status = { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } };
    const live = updated(created, { ...created, status } as Service, "cloud", "status");
    const other = { ...service({}), spec: undefined, status: { loadBalancer: { ingress: [{ ip: "9.9.9.9" }] } } } as unknown as Service;
    expect(apply(live, other, "x", { subresource: "status" }).conflicts).toEqual([
      { message: 'conflict with "cloud" with subresource "status" using v1', field: ".status.loadBalancer.ingress" },
    ]);
  });

  test("an object without owners belongs to before-first-apply", () => {
    const live = service({ type: "ClusterIP", ports: [{ port: 80, protocol: "TCP" }] }, { labels: { a: "b" } });
    expect(apply(live, service({ type: "NodePort" }), "me").conflicts).toEqual([
      { message: 'conflict with "before-first-apply" using v1', field: ".spec.type" },
    ]);
    const { object, conflicts } = apply(live, service({}, { labels: { c: "d" } }), "me");
    expect(conflicts).toEqual([]);
    expect(object.metadata.managedFields?.map(({ manager, operation }) => [manager, operation])).toEqual([
      ["me", "Apply"],
      ["before-first-apply", "Update"],
    ]);
  });
});

describe("from kubectl apply to kubectl apply --server-side", () => {
  const annotation = "kubectl.kubernetes.io/last-applied-configuration";
  const config = service({ type: "ClusterIP", sessionAffinity: "None" });
  const clientSide = updated(
    undefined,
    service({ type: "ClusterIP", sessionAffinity: "None" }, { annotations: { [annotation]: JSON.stringify(config) } }),
    "kubectl-client-side-apply",
  );
  const changed = service({ type: "NodePort", sessionAffinity: "None" });

  test("what it applied before and nobody touched is no conflict, and the record follows", () => {
    const { object, conflicts } = apply(clientSide, changed, "kubectl");
    expect(conflicts).toEqual([]);
    expect(JSON.parse(object.metadata.annotations?.[annotation] ?? "")).toEqual(changed);
    expect(fieldsOfManager(object, "kubectl")).toEqual({ "f:spec": { "f:sessionAffinity": {}, "f:type": {} } });
  });

  test("what another one changed since is a conflict", () => {
    const touched = updated(clientSide, { ...clientSide, spec: { type: "LoadBalancer", sessionAffinity: "None" } } as Service, "other");
    expect(apply(touched, changed, "kubectl").conflicts.map(({ field }) => field)).toEqual([".spec.type"]);
  });

  test("another manager's name gets no favour", () => {
    expect(apply(clientSide, changed, "argocd").conflicts.map(({ field }) => field)).toEqual([".spec.type"]);
  });

  test.each(["", "{", "[]", "{}", '{"apiVersion":"v2","metadata":{}}'])("a record such as %j is none", (record) => {
    const live = { ...clientSide, metadata: { ...clientSide.metadata, annotations: { [annotation]: record } } };
    expect(apply(live, changed, "kubectl").conflicts.length).toBe(1);
  });
});

test.each([
  [{ ports: [{ port: 80 }, { port: 80, protocol: "TCP" }] }, {}, '.spec.ports: duplicate entries for key [port=80,protocol="TCP"]'],
  [{}, { finalizers: ["a/b", "a/b"] }, '.metadata.finalizers: duplicate entries for key [="a/b"]'],
  [
    { ports: [{ name: "x" }] },
    {},
    '.spec.ports: element 0: associative list with keys has an element that omits key field "port", "protocol" (and doesn\'t have default value)',
  ],
])("an item named twice, or not at all, is refused: %j %j", (spec, metadata, message) => {
  const attempt = () => apply(undefined, service(spec, metadata), "me");
  expect(attempt).toThrow(StatusError);
  expect(attempt).toThrow(`failed to create typed patch object (default/web; /v1, Kind=Service): ${message}`);
});

describe("ownership by updates", () => {
  test("structs that upstream holds by pointer are owned themselves, others not", () => {
    const created = updated(
      undefined,
      {
        ...withContainers({ name: "a", resources: { limits: { cpu: "1" } }, readinessProbe: { periodSeconds: 1 } }),
        spec: {
          ...withContainers({ name: "a", resources: { limits: { cpu: "1" } }, securityContext: {} }).spec,
          strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } },
        },
      } as Deployment,
      "m",
    );
    expect(fieldsOfManager(created, "m")).toEqual({
      "f:spec": {
        "f:selector": {},
        "f:strategy": { "f:type": {}, "f:rollingUpdate": { ".": {}, "f:maxSurge": {} } },
        "f:template": {
          "f:spec": {
            "f:containers": {
              'k:{"name":"a"}': {
                ".": {},
                "f:name": {},
                "f:resources": { ".": {}, "f:limits": { ".": {}, "f:cpu": {} } },
                "f:securityContext": {},
              },
            },
          },
        },
      },
    });
  });

  const live = updated(undefined, service({ type: "ClusterIP" }), "creator");
  const [entry] = live.metadata.managedFields as readonly ManagedFieldsEntry[];

  test("a client may edit the entries, as kubectl does when it takes over its own", () => {
    const renamed = [{ ...entry, manager: "kubectl", operation: "Apply" as const }];
    const after = { ...live, metadata: { ...live.metadata, managedFields: renamed } };
    expect(updated(live, after, "x").metadata.managedFields).toEqual(renamed);
    expect(updated(live, after, "x", "status").metadata.managedFields).toEqual([entry]);
  });

  test.each([[[]], [[{}]]])("%j makes the server forget, until the next apply", (managedFields) => {
    const forgotten = updated(live, { ...live, metadata: { ...live.metadata, managedFields } }, "x");
    expect(forgotten.metadata.managedFields).toBeUndefined();
    expect(updated(forgotten, { ...forgotten, spec: { type: "NodePort" } } as Service, "x").metadata.managedFields).toBeUndefined();
  });

  test.each([
    { ...entry, fieldsV1: undefined },
    { ...entry, fieldsV1: { "f:spec": null } },
    { ...entry, fieldsV1: { "k:{": {} } },
    { ...entry, fieldsV1: { spec: {} } },
    { ...entry, operation: "Steal" },
  ])("entries that cannot be read do not count: %j", (bad) => {
    const after = { ...live, metadata: { ...live.metadata, managedFields: [bad as ManagedFieldsEntry] } };
    expect(updated(live, after, "x").metadata.managedFields).toEqual([entry]);
  });

  test("entries stay few: the oldest become one", () => {
    let object: KubeObject = service({});
    for (let i = 0; i < 30; i++) {
      const next = { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, [`l${i}`]: "x" } } };
      object = updated(i === 0 ? undefined : object, next, `m${String(i).padStart(2, "0")}`);
    }
    expect(object.metadata.managedFields?.length).toBe(10);
    const ancient = fieldsOfManager(object, "ancient-changes") as Record<string, Record<string, object>>;
    expect(Object.keys(ancient["f:metadata"]?.["f:labels"] ?? {}).length).toBe(22); // 21 labels, and the map itself
  });
});

describe("laws", () => {
  const values = constantFrom("1", "2");
  const some = <T>(one: Arbitrary<T>) => option(one, { nil: undefined });
  const configs = record({
    labels: dictionary(constantFrom("a", "b"), values),
    type: some(constantFrom("ClusterIP", "NodePort")),
    ports: array(record({ port: constantFrom(80, 81), protocol: constantFrom("TCP", "UDP"), name: some(values) }), { maxLength: 3 }),
  }).map(({ labels, type, ports }) => {
    const distinct = ports.filter(
      (port, i) => ports.findIndex((other) => other.port === port.port && other.protocol === port.protocol) === i,
    );
    return JSON.parse(JSON.stringify(service({ type, ports: distinct }, { labels }))) as Service;
  });
  const steps = array(record({ manager: constantFrom("x", "y"), kind: constantFrom("apply", "update"), config: configs }), {
    maxLength: 6,
  });

  test("after any writes: an applied configuration is there, twice is once, entries are well-formed", () => {
    assert(
      property(steps, configs, (history, last) => {
        let live: KubeObject | undefined;
        for (const { manager, kind, config } of history) {
          const next =
            live === undefined ? config : { ...config, metadata: { ...config.metadata, managedFields: live.metadata.managedFields } };
          live = kind === "update" ? updated(live, next as Service, manager) : apply(live, config, manager, { force: true }).object;
        }
        const once = apply(live, last, "x", { force: true }).object as Service;
        expect(once.metadata.labels ?? {}).toMatchObject(last.metadata.labels ?? {});
        expect(once.spec?.type).toBe(last.spec?.type ?? once.spec?.type);
        for (const port of last.spec?.ports ?? []) expect(once.spec?.ports).toContainEqual(expect.objectContaining(port));
        const twice = apply(once, last, "x", { time: "2030-01-01T00:00:00Z" });
        expect(twice.conflicts).toEqual([]);
        expect(twice.object).toEqual(once);
        for (const { fieldsV1 } of once.metadata.managedFields ?? []) expect(isFieldSet(fieldsV1)).toBe(true);
      }),
    );
  });

  test("the only applier's object is what it applied last", () => {
    assert(
      property(array(configs, { minLength: 1 }), (history) => {
        const live = history.reduce<KubeObject | undefined>((was, config) => apply(was, config, "x").object, undefined) as Service;
        const last = history.at(-1) as Service;
        expect(live.metadata.labels ?? {}).toEqual(last.metadata.labels ?? {});
        expect(live.spec?.type).toEqual(last.spec?.type);
        expect(live.spec?.ports ?? []).toEqual(last.spec?.ports ?? []);
      }),
    );
  });
});
