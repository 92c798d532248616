import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLogger } from "../lib/log.ts";
import { createMemoryBackend } from "../storage/memory/memory-backend.ts";
import { createSqliteBackend } from "../storage/sqlite/sqlite-backend.ts";
import { createApiServer } from "./server.ts";
import { events, TestServer } from "./testing.ts";

let api: TestServer;
const maps = "/api/v1/namespaces/default/configmaps";
const svcs = "/api/v1/namespaces/default/services";
const pods = "/api/v1/namespaces/default/pods";
const deploys = "/apis/apps/v1/namespaces/default/deployments";

const map = (name: string, data: object = {}, metadata: object = {}) => ({ metadata: { name, ...metadata }, data });
const service = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ port: 80 }], ...spec },
});
const pod = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: "web", image: "nginx:1" }], ...spec },
});
const deployment = (name: string) => ({
  metadata: { name },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "web", image: "nginx:1" }] } },
  },
});

beforeEach(async () => {
  api = new TestServer();
  await api.server.start();
});

afterEach(() => api.server.stop());

describe("a new cluster", () => {
  test("has its namespaces, and the Service of the API with the first address", async () => {
    const { body } = await api.get("/api/v1/namespaces");
    expect(body.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual([
      "default",
      "kube-node-lease",
      "kube-public",
      "kube-system",
    ]);
    expect((await api.get(`${svcs}/kubernetes`)).body.spec.clusterIP).toBe("10.96.0.1");
  });

  test("keeps them, and every Service its address and ports, over a restart", async () => {
    const directory = mkdtempSync(join(tmpdir(), "fairlead-apiserver-"));
    const start = async () => {
      const server = new TestServer({ backend: createSqliteBackend({ directory, log: silentLogger }) });
      await server.server.start();
      return server;
    };
    const first = await start();
    const { body: made } = await first.post(svcs, service("web", { type: "NodePort" }));
    await first.server.stop();
    const second = await start();
    expect((await second.get(`${svcs}/web`)).body).toEqual(made);
    expect((await second.post(svcs, service("b", { clusterIP: made.spec.clusterIP }))).body.message).toContain(
      "provided IP is already allocated",
    );
    const samePort = { type: "NodePort", ports: [{ port: 80, nodePort: made.spec.ports[0].nodePort }] };
    expect((await second.post(svcs, service("b", samePort))).body.message).toContain("provided port is already allocated");
    await second.server.stop();
    rmSync(directory, { recursive: true });
  });

  test("refuses ranges that are none", () => {
    const make = (serviceClusterIPRanges: string[], serviceNodePortRange?: string) => () =>
      createApiServer({
        backend: createMemoryBackend(),
        serviceClusterIPRanges,
        ...(serviceNodePortRange === undefined ? {} : { serviceNodePortRange }),
      });
    expect(make([])).toThrow("one CIDR");
    expect(make(["10.0.0.0/8", "11.0.0.0/8"])).toThrow("one of each family");
    expect(make(["10.0.0.0"])).toThrow("is not a CIDR");
    expect(make(["10.0.0.0/8"], "9-1")).toThrow("is not FIRST-LAST");
  });
});

describe("create", () => {
  test("fills in what the server knows, and tracks who wrote what", async () => {
    const { status, body } = await api.post(`${maps}?fieldManager=me`, map("a", { x: "1" }));
    expect(status).toBe(201);
    expect(body).toMatchObject({
      kind: "ConfigMap",
      apiVersion: "v1",
      metadata: { name: "a", namespace: "default", creationTimestamp: "2026-01-01T00:00:00Z" },
    });
    expect(body.metadata.uid).toMatch(/^uid-/);
    expect(Number(body.metadata.resourceVersion)).toBeGreaterThan(0);
    expect(body.metadata.managedFields).toMatchObject([{ manager: "me", operation: "Update", fieldsV1: { "f:data": { "f:x": {} } } }]);
  });

  test("twice is a conflict", async () => {
    await api.post(maps, map("a"));
    expect((await api.post(maps, map("a"))).body).toMatchObject({
      code: 409,
      reason: "AlreadyExists",
      message: 'configmaps "a" already exists',
    });
  });

  test("makes up names, another one when one is taken", async () => {
    const names = new Set<string>();
    for (let i = 0; i < 20; i++) names.add((await api.post(maps, { metadata: { generateName: "web-" } })).body.metadata.name);
    expect(names.size).toBe(20);
    for (const name of names) expect(name).toMatch(/^web-[b-df-hj-np-tv-z2-9]{5}$/);
    const still = new TestServer({ random: () => 0 });
    await still.server.start();
    expect((await still.post(maps, { metadata: { generateName: "web-" } })).body.metadata.name).toBe("web-bbbbb");
    expect((await still.post(maps, { metadata: { generateName: "web-" } })).body).toMatchObject({ reason: "AlreadyExists" });
  });

  test("needs its namespace, and says no while that is emptied", async () => {
    expect((await api.post("/api/v1/namespaces/nope/configmaps", map("a"))).body).toMatchObject({
      code: 404,
      message: 'namespaces "nope" not found',
    });
    await api.post("/api/v1/namespaces", map("shop"));
    await api.remove("/api/v1/namespaces/shop");
    const { body } = await api.post("/api/v1/namespaces/shop/configmaps", map("a"));
    expect(body).toMatchObject({
      code: 403,
      message: 'configmaps "a" is forbidden: unable to create new content in namespace shop because it is being terminated',
    });
    expect(body.details.causes).toMatchObject([{ reason: "NamespaceTerminating", field: "metadata.namespace" }]);
  });

  test("refuses what contradicts the path, and what the server gives", async () => {
    expect((await api.post(maps, map("a", {}, { namespace: "other" }))).body.message).toBe(
      "the namespace of the provided object does not match the namespace sent on the request",
    );
    expect((await api.post(maps, map("a", {}, { resourceVersion: "1" }))).body.message).toBe(
      "resourceVersion should not be set on objects to be created",
    );
    expect((await api.post(maps, { ...map("a"), kind: "Secret" })).status).toBe(400);
    expect((await api.post(`${maps}/a`, map("a"))).status).toBe(405);
  });

  test("tells unknown fields as warnings, or refuses them when strict", async () => {
    const odd = { ...map("a"), foo: 1 };
    expect((await api.post(`${maps}?dryRun=All`, odd)).headers["warning"]).toEqual(['299 - "unknown field \\"foo\\""']);
    expect((await api.post(`${maps}?fieldValidation=Ignore&dryRun=All`, odd)).headers["warning"]).toBeUndefined();
    const strict = await api.post(`${maps}?fieldValidation=Strict`, odd);
    expect(strict.body).toMatchObject({
      code: 400,
      message: 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "foo"',
    });
  });

  test("on trial changes nothing, neither objects nor addresses", async () => {
    const first = await api.post(`${svcs}?dryRun=All`, service("web"));
    expect(first.status).toBe(201);
    const ip = first.body.spec.clusterIP;
    expect((await api.get(`${svcs}/web`)).status).toBe(404);
    expect((await api.post(svcs, service("web", { clusterIP: ip }))).status).toBe(201);
    expect((await api.post(`${svcs}?dryRun=Some`, service("b"))).body).toMatchObject({ code: 422, reason: "Invalid" });
  });

  test("answers a Status with a cause for each wrong field", async () => {
    const { body } = await api.post(svcs, service("web", { ports: [{ port: 70000 }] }));
    expect(body).toMatchObject({ code: 422, reason: "Invalid", details: { name: "web", kind: "Service" } });
    expect(body.details.causes[0]).toMatchObject({ reason: "FieldValueInvalid", field: "spec.ports[0].port" });
  });

  test("takes YAML, and refuses other types of body by name", async () => {
    expect((await api.post(maps, "metadata: {name: y}\ndata: {a: 'b'}\n", { type: "application/yaml" })).body.data).toEqual({ a: "b" });
    expect((await api.post(maps, "x", { type: "text/plain" })).body).toMatchObject({ code: 415, reason: "UnsupportedMediaType" });
    expect((await api.post(maps, "{", { type: "application/json" })).status).toBe(400);
    expect((await api.post(maps, undefined)).status).toBe(400);
  });

  test("pods get a service account and tolerations", async () => {
    const { body } = await api.post(pods, pod("p"));
    expect(body.spec).toMatchObject({ serviceAccountName: "default", restartPolicy: "Always" });
    expect(body.spec.tolerations).toHaveLength(2);
  });
});

describe("update", () => {
  test("is refused when somebody else wrote in between, and unconditional without a version", async () => {
    const { body: made } = await api.post(maps, map("a", { x: "1" }));
    const { body: next } = await api.put(`${maps}/a`, { ...made, data: { x: "2" } });
    expect(Number(next.metadata.resourceVersion)).toBeGreaterThan(Number(made.metadata.resourceVersion));
    const late = await api.put(`${maps}/a`, { ...made, data: { x: "3" } });
    expect(late.body).toMatchObject({
      code: 409,
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    });
    expect((await api.put(`${maps}/a`, map("a", { x: "4" }))).body).toMatchObject({
      data: { x: "4" },
      metadata: { uid: made.metadata.uid },
    });
    expect((await api.put(`${maps}/a`, map("a", {}, { uid: "other" }))).body).toMatchObject({ code: 409 });
  });

  test("that changes nothing writes nothing", async () => {
    const { body: made } = await api.post(maps, map("a", { x: "" }));
    const { body: same } = await api.put(`${maps}/a`, made);
    expect(same.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    const { body: other } = await api.put(`${maps}/a`, map("a"));
    expect(other.metadata.resourceVersion).not.toBe(made.metadata.resourceVersion);
  });

  test("counts generations of the spec, and leaves status to its subresource", async () => {
    const { body: made } = await api.post(deploys, deployment("web"));
    expect(made.metadata.generation).toBe(1);
    const { body: same } = await api.put(`${deploys}/web`, { ...made, status: { replicas: 7 } });
    expect(same).toMatchObject({ metadata: { generation: 1 } });
    expect(same.status?.replicas).toBeUndefined();
    const { body: scaled } = await api.put(`${deploys}/web`, { ...made, spec: { ...made.spec, replicas: 5 } });
    expect(scaled.metadata.generation).toBe(2);
    const { body: reported } = await api.put(`${deploys}/web/status`, {
      ...scaled,
      spec: {},
      status: { replicas: 5, observedGeneration: 2 },
    });
    expect(reported).toMatchObject({ spec: { replicas: 5 }, status: { replicas: 5 }, metadata: { generation: 2 } });
    expect((await api.get(`${deploys}/web/status`)).body.status.replicas).toBe(5);
  });

  test("must name what the path names", async () => {
    await api.post(maps, map("a"));
    expect((await api.put(`${maps}/a`, map("b"))).body.message).toBe("the name of the object (b) does not match the name on the URL (a)");
    expect((await api.put(`${maps}/a`, {})).status).toBe(400);
    expect((await api.put(`${maps}/zz`, map("zz"))).status).toBe(404);
  });

  test("a Service keeps its address through changes of type, and gives it back when it is gone", async () => {
    const { body: made } = await api.post(svcs, service("web"));
    const ip = made.spec.clusterIP;
    const { body: node } = await api.patch(`${svcs}/web`, { spec: { type: "NodePort" } });
    expect(node.spec).toMatchObject({ clusterIP: ip, type: "NodePort" });
    const { nodePort } = node.spec.ports[0];
    expect(nodePort).toBeGreaterThanOrEqual(30000);
    const taken = await api.post(svcs, service("other", { clusterIP: ip }));
    expect(taken.body.message).toBe(
      `Service "other" is invalid: spec.clusterIPs: Invalid value: ["${ip}"]: failed to allocate IP ${ip}: provided IP is already allocated`,
    );
    await api.patch(`${svcs}/web`, { spec: { type: "ClusterIP" } });
    await api.remove(`${svcs}/web`);
    expect((await api.post(svcs, service("other", { clusterIP: ip, type: "NodePort", ports: [{ port: 80, nodePort }] }))).status).toBe(201);
  });

  test("many writers at once: every patch takes effect", async () => {
    await api.post(maps, map("a"));
    await Promise.all(Array.from({ length: 40 }, (_, i) => api.patch(`${maps}/a`, { data: { [`k${i}`]: "x" } })));
    expect(Object.keys((await api.get(`${maps}/a`)).body.data)).toHaveLength(40);
  });
});

describe("patch", () => {
  test("by each type", async () => {
    await api.post(svcs, service("web", { ports: [{ name: "a", port: 1 }] }));
    await api.patch(`${svcs}/web`, { metadata: { labels: { x: "y" } } });
    await api.patch(`${svcs}/web`, { spec: { ports: [{ name: "b", port: 2 }] } }, "application/strategic-merge-patch+json");
    const { body } = await api.patch(
      `${svcs}/web`,
      [{ op: "replace", path: "/metadata/labels/x", value: "z" }],
      "application/json-patch+json",
    );
    expect(body.metadata.labels).toEqual({ x: "z" });
    expect(body.spec.ports.map(({ port }: { port: number }) => port).sort()).toEqual([1, 2]);
    expect((await api.patch(`${svcs}/web`, {}, "text/plain")).status).toBe(415);
    expect((await api.patch(`${svcs}/none`, {})).status).toBe(404);
    expect((await api.patch(`${svcs}/web`, { metadata: { resourceVersion: "1" } })).body).toMatchObject({ code: 409, reason: "Conflict" });
    expect((await api.patch(`${svcs}/web?fieldManager=x&force=true`, {})).body).toMatchObject({ code: 422 });
  });

  test("server-side apply creates, changes, and meets conflicts", async () => {
    const apply = (query: string, body: object) =>
      api.patch(`${maps}/a?${query}`, { apiVersion: "v1", kind: "ConfigMap", ...body }, "application/apply-patch+yaml");
    expect((await apply("", map("a"))).body).toMatchObject({ code: 422 });
    const first = await apply("fieldManager=one", map("a", { x: "1", y: "1" }));
    expect(first.status).toBe(201);
    const again = await apply("fieldManager=one", map("a", { x: "1", y: "1" }));
    expect(again).toMatchObject({ status: 200, body: { metadata: { resourceVersion: first.body.metadata.resourceVersion } } });
    const clash = await apply("fieldManager=two", map("a", { x: "2" }));
    expect(clash.body).toMatchObject({
      code: 409,
      reason: "Conflict",
      details: { causes: [{ reason: "FieldManagerConflict", field: ".data.x" }] },
    });
    expect((await apply("fieldManager=two&force=true", map("a", { x: "2" }))).body.data).toEqual({ x: "2", y: "1" });
    expect((await apply("fieldManager=one", map("a", {}))).body.data).toEqual({ x: "2" });
  });
});

describe("scale", () => {
  test("is read and written as autoscaling/v1", async () => {
    await api.post(deploys, deployment("web"));
    const { body } = await api.get(`${deploys}/web/scale`);
    expect(body).toMatchObject({
      kind: "Scale",
      apiVersion: "autoscaling/v1",
      spec: { replicas: 2 },
      status: { replicas: 0, selector: "app=web" },
    });
    expect((await api.put(`${deploys}/web/scale`, { ...body, spec: { replicas: 4 } })).body.spec).toEqual({ replicas: 4 });
    expect((await api.patch(`${deploys}/web/scale`, { spec: { replicas: 0 } })).body.spec.replicas ?? 0).toBe(0);
    expect((await api.get(`${deploys}/web`)).body).toMatchObject({ spec: { replicas: 0 }, metadata: { generation: 3 } });
    expect((await api.patch(`${deploys}/web/scale`, { spec: { replicas: -1 } })).body).toMatchObject({ code: 422 });
  });
});

describe("delete", () => {
  test("answers the object or a Status, and is not found afterwards", async () => {
    const { body: made } = await api.post(maps, map("a"));
    expect((await api.remove(`${maps}/a`)).body).toMatchObject({
      status: "Success",
      details: { name: "a", kind: "configmaps", uid: made.metadata.uid },
    });
    expect((await api.remove(`${maps}/a`)).body).toMatchObject({ code: 404 });
    await api.post(svcs, service("web"));
    expect((await api.remove(`${svcs}/web`)).body).toMatchObject({ kind: "Service", metadata: { name: "web" } });
  });

  test("holds preconditions", async () => {
    await api.post(maps, map("a"));
    const wrong = await api.remove(`${maps}/a`, { preconditions: { uid: "other" } });
    expect(wrong.body).toMatchObject({
      code: 409,
      message: expect.stringContaining("the UID in the precondition (other) does not match the UID in record (uid-"),
    });
  });

  test("waits for finalizers; the last one gone, the object goes", async () => {
    const { body: made } = await api.post(maps, map("a", {}, { finalizers: ["example.com/x"] }));
    const { body: marked } = await api.remove(`${maps}/a`);
    expect(marked.metadata).toMatchObject({
      uid: made.metadata.uid,
      deletionTimestamp: "2026-01-01T00:00:00Z",
      deletionGracePeriodSeconds: 0,
    });
    expect((await api.remove(`${maps}/a`)).body.metadata.resourceVersion).toBe(marked.metadata.resourceVersion);
    await api.patch(`${maps}/a`, { metadata: { finalizers: null } });
    expect((await api.get(`${maps}/a`)).status).toBe(404);
  });

  test("keeps the propagation policy as a finalizer for the garbage collector", async () => {
    await api.post(deploys, deployment("web"));
    const { body } = await api.remove(`${deploys}/web?propagationPolicy=Foreground`);
    expect(body.metadata.finalizers).toEqual(["foregroundDeletion"]);
    expect((await api.remove(`${deploys}/web?propagationPolicy=Odd`)).body).toMatchObject({ code: 422 });
    await api.post(deploys, deployment("two"));
    expect(
      (await api.remove(`${deploys}/two`, { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Orphan" })).body.metadata
        .finalizers,
    ).toEqual(["orphan"]);
  });

  test("gives a pod on a node its time, and the node's agent the last word", async () => {
    await api.post(pods, pod("free"));
    expect((await api.remove(`${pods}/free`)).status).toBe(200);
    expect((await api.get(`${pods}/free`)).status).toBe(404);
    await api.post(pods, pod("bound", { nodeName: "n1", terminationGracePeriodSeconds: 20 }));
    const { body } = await api.remove(`${pods}/bound`);
    expect(body.metadata).toMatchObject({ deletionTimestamp: "2026-01-01T00:00:20Z", deletionGracePeriodSeconds: 20 });
    expect((await api.remove(`${pods}/bound`, { gracePeriodSeconds: 5 })).body.metadata.deletionGracePeriodSeconds).toBe(5);
    expect((await api.remove(`${pods}/bound`, { gracePeriodSeconds: 0 })).status).toBe(200);
    expect((await api.get(`${pods}/bound`)).status).toBe(404);
  });

  test("of a collection, by selector", async () => {
    await api.post(maps, map("a", {}, { labels: { x: "1" } }));
    await api.post(maps, map("b", {}, { labels: { x: "2" } }));
    await api.remove(`${maps}?labelSelector=x%3D1`);
    const names = (await api.get(maps)).body.items.map((item: { metadata: { name: string } }) => item.metadata.name);
    expect(names).toEqual(["b"]);
    expect((await api.remove("/api/v1/namespaces")).status).toBe(405);
  });

  test("a namespace ends when its finalizer is gone; the system's own stay", async () => {
    expect((await api.remove("/api/v1/namespaces/default")).body.message).toBe(
      'namespaces "default" is forbidden: this namespace may not be deleted',
    );
    await api.post("/api/v1/namespaces", map("shop"));
    const { body } = await api.remove("/api/v1/namespaces/shop");
    expect(body).toMatchObject({ status: { phase: "Terminating" }, spec: { finalizers: ["kubernetes"] } });
    expect((await api.remove("/api/v1/namespaces/shop")).body).toMatchObject({ code: 409 });
    await api.put("/api/v1/namespaces/shop/finalize", { ...body, spec: { finalizers: [] } });
    expect((await api.get("/api/v1/namespaces/shop")).status).toBe(404);
  });
});

describe("pods", () => {
  test("are bound once", async () => {
    await api.post(pods, pod("p"));
    const bind = (node: string) => api.post(`${pods}/p/binding`, { metadata: { name: "p" }, target: { kind: "Node", name: node } });
    expect((await bind("n1")).status).toBe(201);
    expect((await api.get(`${pods}/p`)).body).toMatchObject({
      spec: { nodeName: "n1" },
      status: { conditions: [{ type: "PodScheduled", status: "True" }] },
    });
    expect((await bind("n2")).body.message).toBe(
      'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
    );
  });

  test("are evicted", async () => {
    await api.post(pods, pod("p"));
    expect((await api.post(`${pods}/p/eviction`, { metadata: { name: "p" } })).status).toBe(201);
    expect((await api.get(`${pods}/p`)).status).toBe(404);
  });

  test("have logs by container, from their node's agent", async () => {
    const asked: unknown[] = [];
    const nodeAgent = (name: string) =>
      name === "n1"
        ? { logs: async (...call: unknown[]) => (asked.push(call.slice(0, 2)), lines()), exec: never, attach: never, dial: never }
        : undefined;
    api = new TestServer({ nodeAgent });
    await api.server.start();
    await api.post(pods, pod("p", { nodeName: "n1" }));
    expect((await api.get(`${pods}/p/log?tailLines=1&follow=true`)).body).toBe("one\ntwo\n");
    expect(asked).toMatchObject([
      [
        { name: "p", namespace: "default" },
        { container: "web", follow: true, tailLines: 1 },
      ],
    ]);
    expect((await api.get(`${pods}/p/log?container=x`)).body.message).toBe("container x is not valid for pod p");
    expect((await api.get(`${pods}/p/log?tailLines=-1`)).body.code).toBe(422);
    await api.post(
      pods,
      pod("q", {
        containers: [
          { name: "a", image: "x" },
          { name: "b", image: "x" },
        ],
      }),
    );
    expect((await api.get(`${pods}/q/log`)).body.message).toBe("a container name must be specified for pod q, choose one of: [a b]");
    await api.post(pods, pod("r", { nodeName: "n2" }));
    expect((await api.get(`${pods}/r/log`)).status).toBe(503);
    await api.post(pods, pod("s"));
    expect((await api.get(`${pods}/s/log`)).body).toBe("");
  });
});

const never = () => Promise.reject(new Error("not asked for"));

async function* lines() {
  yield Buffer.from("one\n");
  yield Buffer.from("two\n");
}

describe("list", () => {
  beforeEach(async () => {
    for (const name of ["a", "b", "c"]) await api.post(maps, map(name, {}, { labels: { name } }));
  });

  const names = (body: { items: { metadata: { name: string } }[] }) => body.items.map((item) => item.metadata.name);

  test("in pages of one revision", async () => {
    const first = await api.get(`${maps}?limit=2`);
    expect(names(first.body)).toEqual(["a", "b"]);
    expect(first.body.metadata.remainingItemCount).toBe(1);
    await api.post(maps, map("d"));
    const second = await api.get(`${maps}?limit=2&continue=${first.body.metadata.continue}`);
    expect(names(second.body)).toEqual(["c"]);
    expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
    expect((await api.get(`${maps}?continue=garbage`)).status).toBe(400);
  });

  test("by labels and fields", async () => {
    expect(names((await api.get(`${maps}?labelSelector=name+in+(a,c)`)).body)).toEqual(["a", "c"]);
    expect(names((await api.get(`${maps}?fieldSelector=metadata.name%3Db`)).body)).toEqual(["b"]);
    expect(names((await api.get("/api/v1/configmaps?fieldSelector=metadata.namespace%3Ddefault,metadata.name!%3Db")).body)).toEqual([
      "a",
      "c",
    ]);
    expect((await api.get(`${maps}?fieldSelector=x%3Dy`)).body.message).toBe(
      '"x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    );
    expect((await api.get(`${pods}?fieldSelector=x%3Dy`)).body).toMatchObject({ code: 400, message: "field label not supported: x" });
    expect((await api.get(`${maps}?labelSelector=a+b`)).status).toBe(400);
  });

  test("of wanted revisions", async () => {
    const { body } = await api.get(maps);
    const revision = body.metadata.resourceVersion;
    await api.post(maps, map("d"));
    expect(names((await api.get(`${maps}?resourceVersion=${revision}&resourceVersionMatch=Exact`)).body)).toEqual(["a", "b", "c"]);
    expect(names((await api.get(`${maps}?resourceVersion=${revision}&resourceVersionMatch=NotOlderThan`)).body)).toEqual([
      "a",
      "b",
      "c",
      "d",
    ]);
    expect((await api.get(`${maps}?resourceVersion=999999`)).body).toMatchObject({ code: 504, reason: "Timeout" });
    expect((await api.get(`${maps}?resourceVersionMatch=Exact`)).body.code).toBe(422);
    expect((await api.get(`${maps}?resourceVersion=abc`)).body.code).toBe(400);
    expect((await api.get(`${maps}?limit=abc`)).body.code).toBe(400);
  });

  test("as a table, as metadata, as YAML", async () => {
    const table = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };
    const { body } = await api.get(maps, { headers: table });
    expect(body).toMatchObject({ kind: "Table", apiVersion: "meta.k8s.io/v1" });
    expect(body.columnDefinitions[0].name).toBe("Name");
    expect(body.rows.map(({ cells }: { cells: unknown[] }) => cells[0])).toEqual(["a", "b", "c"]);
    expect(body.rows[0].object).toMatchObject({ kind: "PartialObjectMetadata", metadata: { name: "a" } });
    expect((await api.get(`${maps}/a`, { headers: table })).body.rows).toHaveLength(1);
    const partial = { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" };
    expect((await api.get(maps, { headers: partial })).body).toMatchObject({
      kind: "PartialObjectMetadataList",
      items: [{ metadata: { name: "a" } }, {}, {}],
    });
    expect((await api.get(`${maps}/a`, { headers: { accept: "application/yaml" } })).body).toMatch(/^kind: ConfigMap/);
    expect((await api.get(maps, { headers: { accept: "text/html" } })).body).toMatchObject({ code: 406 });
  });
});

describe("watch", () => {
  test("goes on from a list", async () => {
    const { body } = await api.get(maps);
    const response = await api.raw("GET", `${maps}?watch=1&resourceVersion=${body.metadata.resourceVersion}`);
    await api.post(maps, map("a"));
    await api.patch(`${maps}/a`, { data: { x: "1" } });
    await api.remove(`${maps}/a`);
    expect((await events(response, 3)).map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual([
      "ADDED a",
      "MODIFIED a",
      "DELETED a",
    ]);
  });

  test("begins with what is there, marks its end, and ends in time", async () => {
    await api.post(maps, map("a"));
    const response = await api.raw(
      "GET",
      `${maps}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=5`,
    );
    if (response.body.kind !== "watch") throw new Error("no watch");
    const stream = response.body.stream[Symbol.asyncIterator]();
    const next = async () => {
      const { value, done } = await stream.next();
      return done === true ? undefined : { type: value.type, object: JSON.parse(Buffer.from(value.bytes()).toString()).object };
    };
    const [added, bookmark] = [await next(), await next()];
    expect(added).toMatchObject({ type: "ADDED", object: { metadata: { name: "a" } } });
    expect(bookmark).toMatchObject({
      type: "BOOKMARK",
      object: { kind: "ConfigMap", metadata: { annotations: { "k8s.io/initial-events-end": "true" } } },
    });
    const end = next();
    await api.clock.advanceAsync(5000);
    expect(await end).toBeUndefined();
  });

  test("tells in the stream what it cannot show", async () => {
    const response = await api.raw("GET", `${maps}?watch=1&resourceVersion=999999`);
    expect(await events(response, 2)).toMatchObject([{ type: "ERROR", object: { kind: "Status", code: 504 } }]);
    expect((await api.get(`${maps}?watch=1&sendInitialEvents=true`)).body.code).toBe(422);
  });

  test("of tables names the columns once", async () => {
    await api.post(maps, map("a"));
    await api.post(maps, map("b"));
    const headers = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
    const [first, second] = await events(await api.raw("GET", `${maps}?watch=1`, { headers }), 2);
    expect(first?.object.columnDefinitions.length).toBeGreaterThan(0);
    expect(second?.object).toMatchObject({
      kind: "Table",
      columnDefinitions: [],
      rows: [{ cells: ["b", expect.anything(), expect.anything()] }],
    });
  });

  test("of one object, by path and by selector", async () => {
    await api.post(maps, map("a"));
    await api.post(maps, map("b"));
    for (const query of [`${maps}/b?watch=1`, `${maps}?watch=1&fieldSelector=metadata.name%3Db`]) {
      const [first] = await events(await api.raw("GET", query), 1);
      expect(first?.object.metadata.name).toBe("b");
    }
  });
});

describe("who may", () => {
  const bob = { name: "bob", groups: ["system:authenticated"] };
  const nobody = { name: "system:anonymous", groups: ["system:unauthenticated"] };

  test("strangers see health and version, users discovery, others nothing", async () => {
    expect((await api.get("/readyz", { user: nobody })).body).toBe("ok");
    expect((await api.get("/version", { user: nobody })).body).toMatchObject({ major: "1", minor: "36" });
    expect((await api.get("/apis", { user: bob })).status).toBe(200);
    expect((await api.get("/apis", { user: nobody })).body.message).toMatch(/^forbidden: User "system:anonymous" cannot get path "\/apis"/);
    expect((await api.get(svcs, { user: bob })).body).toMatchObject({ code: 403, reason: "Forbidden" });
    expect((await api.get(svcs, { user: bob })).body.message).toMatch(
      /^services is forbidden: User "bob" cannot list resource "services" in API group "" in the namespace "default"/,
    );
    expect((await api.get("/metrics", { user: bob })).status).toBe(403);
  });

  test("components may everything", async () => {
    expect((await api.get("/api/v1/secrets", { user: { name: "system:kube-controller-manager", groups: [] } })).status).toBe(200);
    expect((await api.get("/metrics")).body).toContain("apiserver_request_total");
  });
});

describe("documents", () => {
  test("discovery, old and aggregated", async () => {
    expect((await api.get("/api")).body).toMatchObject({ kind: "APIVersions", versions: ["v1"] });
    expect((await api.get("/apis")).body.groups.map(({ name }: { name: string }) => name)).toContain("discovery.k8s.io");
    const { body } = await api.get("/apis/apps/v1");
    expect(body.resources).toContainEqual(
      expect.objectContaining({ name: "deployments/scale", group: "autoscaling", version: "v1", kind: "Scale" }),
    );
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    const aggregated = await api.get("/api", { headers: { accept } });
    expect(aggregated.headers["content-type"]).toBe("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    expect(aggregated.body.items[0].versions[0].resources.length).toBeGreaterThan(5);
    expect((await api.get("/apis/nope")).status).toBe(404);
    expect((await api.get("/apis/apps/v9")).status).toBe(404);
  });

  test("have an ETag", async () => {
    const { headers } = await api.get("/openapi/v3");
    expect((await api.get("/openapi/v3", { headers: { "if-none-match": String(headers["etag"]) } })).status).toBe(304);
    expect((await api.get("/openapi/v3/apis/apps/v1")).body.openapi).toBe("3.0.0");
    const v2 = await api.get("/openapi/v2", { headers: { accept: "application/com.github.proto-openapi.spec.v2@v1.0+protobuf" } });
    expect(v2.headers["content-type"]).toBe("application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
  });

  test("unknown paths answer a Status", async () => {
    for (const path of [
      "/nope",
      "/api/v1/nope",
      "/apis/x/v1/nope/a/b",
      "/api/v1/services/web",
      "/api/v1/namespaces/default/nodes",
      "/openapi/v4",
    ])
      expect((await api.get(path)).body, path).toMatchObject({
        kind: "Status",
        code: 404,
        message: "the server could not find the requested resource",
      });
  });

  test("health names its checks", async () => {
    expect((await api.get("/readyz?verbose")).body).toBe("[+]ping ok\n[+]storage ok\n[+]storage-writes ok\nreadyz check passed\n");
    expect((await api.get("/livez/ping")).body).toBe("ok");
    expect((await api.get("/healthz/none")).status).toBe(404);
    await api.server.stop();
    expect((await api.get("/readyz")).status).toBe(500);
  });
});

test("a store that is full: reads go on, writes say why, readiness tells and life goes on", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-full-"));
  const full = new TestServer({ backend: createSqliteBackend({ directory, maxBytes: 1 << 20 }) });
  await full.server.start();
  const maps = "/api/v1/namespaces/default/configmaps";
  const large = (name: string) => full.post(maps, { metadata: { name }, data: { large: "x".repeat(900_000) } });
  await full.post(maps, { metadata: { name: "kept" } });
  await large("one");
  const refused = await large("two");
  expect([refused.status, refused.body.message]).toEqual([
    500,
    expect.stringMatching(/the store cannot write: .*full.*objects can be read and not changed/),
  ]);
  expect((await full.get(`${maps}/kept`)).status).toBe(200);
  expect((await full.get("/readyz")).body).toContain("[-]storage-writes failed: the store cannot write");
  expect((await full.get("/livez")).body).toBe("ok");
  await full.remove(`${maps}/one`);
  expect((await large("two")).status).toBe(201);
  expect((await full.get("/readyz")).body).toBe("ok");
  await full.server.stop();
  rmSync(directory, { recursive: true });
});

test("events of events.k8s.io are those of core/v1, by their newer names", async () => {
  const both = new TestServer();
  await both.server.start();
  const [core, modern] = ["/api/v1/namespaces/default/events", "/apis/events.k8s.io/v1/namespaces/default/events"];
  const regarding = { kind: "Pod", name: "p", namespace: "default" };
  const event = {
    metadata: { name: "e" },
    eventTime: "2026-01-01T00:00:00.000000Z",
    regarding,
    note: "what happened",
    reason: "Why",
    action: "Doing",
    type: "Normal",
    reportingController: "example.com/c",
    reportingInstance: "c-1",
  };
  const created = await both.post(modern, event);
  expect([created.status, created.body.note]).toEqual([201, "what happened"]);
  expect((await both.get(`${core}/e`)).body).toMatchObject({
    apiVersion: "v1",
    involvedObject: regarding,
    message: "what happened",
    reportingComponent: "example.com/c",
  });
  await both.patch(`${core}/e`, { message: "more" });
  expect((await both.get(`${modern}?fieldSelector=regarding.name=p`)).body.items).toMatchObject([
    { apiVersion: "events.k8s.io/v1", note: "more" },
  ]);
  const [first] = await events(await both.raw("GET", `${modern}?watch=true`), 1);
  expect(first?.object).toMatchObject({ apiVersion: "events.k8s.io/v1", note: "more", regarding });
  await both.server.stop();
});
