/** Webhooks over real TLS, reached by URL and through a Service's pod. */
import { createServer, type Server } from "node:https";
import { connect, type AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { NodeAgent } from "../../api/node-agent.ts";
import { ensureCertificates } from "../auth/certificates.ts";
import { TestServer } from "../testing.ts";

interface Review {
  readonly apiVersion: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- objects of every kind
  readonly request: any;
}

const group = "/apis/admissionregistration.k8s.io/v1";
const maps = "/api/v1/namespaces/default/configmaps";
let api: TestServer;
let server: Server;
let port: number;
let caBundle: string;
let reviews: Review[];
/** What the webhook says of a review: a part of its response; undefined: it never answers. */
let answer: (review: Review, path: string) => object | undefined;

beforeEach(async () => {
  reviews = [];
  answer = () => ({ allowed: true });
  const { ca, server: own } = await ensureCertificates({ addresses: [], now: Date.now() });
  caBundle = Buffer.from(ca).toString("base64");
  server = createServer({ key: own.key, cert: own.cert }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const review = JSON.parse(Buffer.concat(chunks).toString()) as Review;
      reviews.push(review);
      const said = answer(review, request.url ?? "");
      if (said === undefined) return;
      const { uid } = review.request as { uid: string };
      response.end(JSON.stringify({ kind: "AdmissionReview", apiVersion: review.apiVersion, response: { uid, ...said } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
  const agent = { dial: async () => connect({ host: "127.0.0.1", port }) } as unknown as NodeAgent;
  api = new TestServer({ nodeAgent: () => agent });
  await api.server.start();
});

afterEach(async () => {
  await api.server.stop();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const rules = [{ operations: ["*"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }];

async function register(kind: "validating" | "mutating", more: object = {}, name = "hook"): Promise<void> {
  const webhook = {
    name: `${name}.example.com`,
    clientConfig: { url: `https://127.0.0.1:${port}/${name}`, caBundle },
    rules,
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    ...more,
  };
  const made = await api.post(`${group}/${kind}webhookconfigurations`, { metadata: { name }, webhooks: [webhook] });
  expect(made.body.message).toBeUndefined();
}

const create = (name: string, more: object = {}) => api.post(maps, { metadata: { name }, ...more });
const patchOf = (...operations: object[]) => ({
  allowed: true,
  patchType: "JSONPatch",
  patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
});

test("a validating one sees the object as it will be stored, and its refusal is the answer", async () => {
  await register("validating");
  answer = ({ request }) => ({
    allowed: request.object?.data?.k !== "bad",
    status: { code: 418, message: "no tea here", reason: "Teapot" },
    warnings: ["look out"],
  });
  const good = await create("a", { data: { k: "v" } });
  expect([good.status, good.headers["warning"]]).toEqual([201, ['299 - "look out"']]);
  expect(reviews[0]).toMatchObject({
    apiVersion: "admission.k8s.io/v1",
    request: {
      operation: "CREATE",
      namespace: "default",
      name: "a",
      resource: { group: "", version: "v1", resource: "configmaps" },
      kind: { group: "", version: "v1", kind: "ConfigMap" },
      userInfo: { username: "kubernetes-admin" },
      object: { metadata: { name: "a", uid: expect.any(String) }, data: { k: "v" } },
      oldObject: null,
      dryRun: false,
    },
  });
  expect((await create("b", { data: { k: "bad" } })).body).toMatchObject({
    code: 418,
    reason: "Teapot",
    message: 'admission webhook "hook.example.com" denied the request: no tea here',
  });
  expect((await api.get(`${maps}/b`)).status).toBe(404);
});

test("mutating ones change it one after the other; who asks for it sees the end of it", async () => {
  await register("mutating", { reinvocationPolicy: "IfNeeded" }, "one");
  await register("mutating", {}, "two");
  const seen: string[] = [];
  answer = ({ request }, path) => {
    seen.push(`${path} ${Object.keys(request.object.data ?? {}).join()}`);
    const key = path.slice(1);
    if (request.object.data?.[key] !== undefined) return { allowed: true };
    return patchOf(...(request.object.data === undefined ? [{ op: "add", path: "/data", value: {} }] : []), {
      op: "add",
      path: `/data/${key}`,
      value: "x",
    });
  };
  expect((await create("a")).body.data).toEqual({ one: "x", two: "x" });
  expect(seen).toEqual(["/one ", "/two one", "/one one,two"]);
});

test("what a webhook makes is checked like what a user writes", async () => {
  await register("mutating");
  answer = () => patchOf({ op: "add", path: "/data", value: { "bad key": "x" } });
  expect((await create("a")).body).toMatchObject({ code: 422, reason: "Invalid" });
  answer = () => patchOf({ op: "replace", path: "/nothing/there", value: 1 });
  expect((await create("a")).status).toBeGreaterThanOrEqual(400);
});

test("one that does not answer, or not to the point, is passed over only if it says so", async () => {
  answer = () => undefined;
  await register("validating", { timeoutSeconds: 1 });
  const late = await create("a");
  expect([late.status, late.body.message]).toEqual([
    500,
    'Internal error occurred: failed calling webhook "hook.example.com": no answer within 1 seconds: context deadline exceeded',
  ]);
  await api.patch(
    `${group}/validatingwebhookconfigurations/hook`,
    [{ op: "replace", path: "/webhooks/0/failurePolicy", value: "Ignore" }],
    "application/json-patch+json",
  );
  expect((await create("a")).status).toBe(201);
});

test("a server that the bundle does not vouch for is not asked", async () => {
  await register("validating", { clientConfig: { url: `https://127.0.0.1:${port}/x` } });
  expect((await create("a")).body.message).toContain("failed calling webhook");
  expect(reviews).toEqual([]);
});

test("a dry run is refused where the webhook has effects of its own", async () => {
  await register("validating", { sideEffects: "NoneOnDryRun" });
  expect((await api.post(`${maps}?dryRun=All`, { metadata: { name: "a" } })).status).toBe(201);
  expect(reviews[0]?.request.dryRun).toBe(true);
});

test("selectors, conditions and rules say what it is about; it never guards itself", async () => {
  await register("validating", {
    rules: [{ operations: ["DELETE"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*"] }],
    objectSelector: { matchLabels: { guarded: "yes" } },
    matchConditions: [{ name: "named", expression: "oldObject.metadata.name != 'free'" }],
  });
  answer = () => ({ allowed: false });
  const labels = { guarded: "yes" };
  for (const name of ["kept", "free"]) await api.post(maps, { metadata: { name, labels } });
  await create("other");
  expect((await api.remove(`${maps}/other`)).status).toBe(200);
  expect((await api.remove(`${maps}/free`)).status).toBe(200);
  expect((await api.remove(`${maps}/kept`)).body.message).toBe(
    'admission webhook "hook.example.com" denied the request without explanation',
  );
  expect(reviews[0]?.request).toMatchObject({ operation: "DELETE", object: null, oldObject: { metadata: { name: "kept" } } });
  expect((await api.remove(`${group}/validatingwebhookconfigurations/hook`)).status).toBe(200);
});

test("by the name of a Service it is reached in one of its pods", async () => {
  // The certificate at hand is for the Service `kubernetes`.
  await api.post("/api/v1/nodes", { metadata: { name: "n" } });
  await api.post("/api/v1/namespaces/default/pods", {
    metadata: { name: "p" },
    spec: { nodeName: "n", containers: [{ name: "c", image: "i" }] },
  });
  await api.post("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
    metadata: { name: "hook-1", labels: { "kubernetes.io/service-name": "kubernetes" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.1.2.3"], conditions: { ready: true }, targetRef: { kind: "Pod", name: "p", namespace: "default" } }],
    ports: [{ name: "https", port: 8443, protocol: "TCP" }],
  });
  await register("validating", { clientConfig: { service: { name: "kubernetes", namespace: "default", path: "/check" }, caBundle } });
  const made = await create("a");
  expect(made.body.message).toBeUndefined();
  expect(reviews).toHaveLength(1);
});
