import { afterEach, expect, test } from "vitest";
import { TestServer } from "../testing.ts";

let api: TestServer;
afterEach(() => api.server.stop());

async function started(options: ConstructorParameters<typeof TestServer>[0] = {}): Promise<void> {
  api = new TestServer(options);
  await api.server.start();
}

const pods = "/api/v1/namespaces/default/pods";
const pod = (name: string, spec: object = {}, metadata: object = {}) =>
  api.post(pods, { metadata: { name, ...metadata }, spec: { containers: [{ name: "c", image: "i" }], ...spec } });
const mark = (kind: string) => ({ annotations: { [`${kind}.kubernetes.io/is-default-class`]: "true" } });

test("a claim and an Ingress get the class that is marked as default, if they name none", async () => {
  await started();
  const classes = "/apis/storage.k8s.io/v1/storageclasses";
  for (const name of ["plain", "standard"])
    await api.post(classes, { metadata: { name, ...(name === "standard" ? mark("storageclass") : {}) }, provisioner: "p" });
  const claim = (name: string, more: object = {}) =>
    api.post("/api/v1/namespaces/default/persistentvolumeclaims", {
      metadata: { name },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...more },
    });
  expect((await claim("a")).body.spec.storageClassName).toBe("standard");
  expect((await claim("b", { storageClassName: "" })).body.spec.storageClassName).toBe("");

  const ingress = (name: string) =>
    api.post("/apis/networking.k8s.io/v1/namespaces/default/ingresses", {
      metadata: { name },
      spec: { defaultBackend: { service: { name: "s", port: { number: 80 } } } },
    });
  const ingressClass = (name: string) =>
    api.post("/apis/networking.k8s.io/v1/ingressclasses", {
      metadata: { name, ...mark("ingressclass") },
      spec: { controller: "example.com/c" },
    });
  expect((await ingress("none")).body.spec.ingressClassName).toBeUndefined();
  await ingressClass("one");
  expect((await ingress("a")).body.spec.ingressClassName).toBe("one");
  await ingressClass("two");
  expect((await ingress("b")).body.message).toContain("2 default IngressClasses were found, only 1 allowed");
});

test("a pod's priority is its class's", async () => {
  await started();
  await api.post("/apis/scheduling.k8s.io/v1/priorityclasses", { metadata: { name: "high" }, value: 1000, preemptionPolicy: "Never" });
  expect((await pod("a", { priorityClassName: "high" })).body.spec).toMatchObject({ priority: 1000, preemptionPolicy: "Never" });
  expect((await pod("b")).body.spec.priority).toBe(0);
  expect((await pod("c", { priorityClassName: "system-node-critical" })).body.spec.priority).toBe(2_000_001_000);
  expect((await pod("d", { priorityClassName: "none" })).body.message).toContain("no PriorityClass with name none was found");
  expect((await pod("e", { priority: 7 })).body.message).toContain("the integer value of priority (7) must not be provided in pod spec");
});

test("a pod gets its account's token where there is a file system for it, unless it or its account declines", async () => {
  await started({ mountServiceAccountTokens: true });
  await api.post("/api/v1/namespaces/default/serviceaccounts", { metadata: { name: "shy" }, automountServiceAccountToken: false });
  const { spec } = (await pod("a")).body;
  expect(spec.volumes).toEqual([expect.objectContaining({ name: expect.stringMatching(/^kube-api-access-\w{5}$/) })]);
  expect(spec.containers[0].volumeMounts).toEqual([
    { name: spec.volumes[0].name, readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" },
  ]);
  expect((await pod("b", { serviceAccountName: "shy" })).body.spec.volumes).toBeUndefined();
  expect((await pod("c", { serviceAccountName: "shy", automountServiceAccountToken: true })).body.spec.volumes).toHaveLength(1);
  expect((await pod("d", { automountServiceAccountToken: false })).body.spec.volumes).toBeUndefined();
});

test("an eviction counts against the pod's disruption budget, and waits when nothing is left", async () => {
  await started();
  const budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
  const labels = { labels: { app: "a" } };
  const ready = async (name: string) => {
    await pod(name, { nodeName: "n" }, labels);
    const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
    await api.put(`${pods}/${name}/status`, { metadata: { name, ...labels }, status });
  };
  for (const name of ["one", "two"]) await ready(name);
  await api.post(budgets, { metadata: { name: "b" }, spec: { minAvailable: 1, selector: { matchLabels: { app: "a" } } } });
  const evict = (name: string) => api.post(`${pods}/${name}/eviction`, { metadata: { name } });
  const early = await evict("one");
  expect([early.status, early.body.details.causes[0].message]).toEqual([
    429,
    "The disruption budget b is still being processed by the server.",
  ]);
  const status = { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 };
  await api.patch(`${budgets}/b/status`, { status });
  expect((await evict("one")).status).toBe(201);
  expect((await api.get(`${budgets}/b`)).body.status).toMatchObject({ disruptionsAllowed: 0, disruptedPods: { one: expect.any(String) } });
  const late = await evict("two");
  expect([late.status, late.headers["retry-after"], late.body.message]).toEqual([
    429,
    "10",
    "Cannot evict pod as it would violate the pod's disruption budget.",
  ]);
});

test("ephemeral containers can be added and never taken away; resize changes resources alone", async () => {
  await started();
  await pod("p", { nodeName: "n" });
  const put = (subresource: string, spec: object) => api.put(`${pods}/p/${subresource}`, { metadata: { name: "p" }, spec });
  const containers = [{ name: "c", image: "other" }];
  const debug = { name: "debug", image: "busybox", targetContainerName: "c" };
  const added = await put("ephemeralcontainers", { containers, ephemeralContainers: [debug] });
  expect(added.body.spec.ephemeralContainers).toEqual([expect.objectContaining(debug)]);
  expect(added.body.spec.containers[0].image).toBe("i");
  expect((await put("ephemeralcontainers", { containers, ephemeralContainers: [] })).body.message).toContain('"debug" may not be removed');
  const taken = { containers, ephemeralContainers: [debug, { name: "c", image: "i", ports: [{ containerPort: 1 }] }] };
  const refused = (await put("ephemeralcontainers", taken)).body.message;
  expect(refused).toContain('spec.ephemeralContainers[1].name: Duplicate value: "c"');
  expect(refused).toContain("cannot be set for an Ephemeral Container");
  const resources = { requests: { cpu: "100m" } };
  const resized = await put("resize", { containers: [{ name: "c", image: "other", resources }] });
  expect(resized.body.spec.containers[0]).toMatchObject({ image: "i", resources });
});
