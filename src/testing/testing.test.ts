/** What tests of other people's programs rely on: one cluster for all, with two pods behind a Service. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { configMaps, endpointSlices, leases, pods, services } from "../api/resources.ts";
import type { ConfigMap } from "../api/types.ts";
import { httpsTransport } from "../client/https-transport.ts";
import { loadKubeconfig } from "../client/kubeconfig.ts";
import { createClient } from "../client/rest.ts";
import { startCluster, type TestCluster } from "./index.ts";

const manifests = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: sticky }
spec:
  selector: { app: web }
  sessionAffinity: ClientIP
  sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } }
  ports: [{ port: 80, targetPort: 8080 }]
${["web-0", "web-1"]
  .map(
    (name) => `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: web } }
spec:
  containers:
    - name: web
      image: test/web
      ports: [{ containerPort: 8080 }]
      readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 10, timeoutSeconds: 30, failureThreshold: 3 }
`,
  )
  .join("")}`;

/** Of the machine's time: others use it too. */
const patient = { timeout: 20_000, interval: 5 };

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({
    manifests,
    functions: { "test/web": ({ pod }) => createServer((_, response) => response.end(pod.metadata.name)) },
  });
  await vi.waitFor(() => expect([readyPods("web"), readyPods("sticky")]).toEqual([both, both]), patient);
});

afterAll(() => cluster?.stop());

const ask = async (service: string) => await (await cluster.fetch(`http://${service}/`)).text();
const answersOf = async (service: string, times: number) => {
  const names = new Set<string>();
  for (let i = 0; i < times; i++) names.add(await ask(service));
  return [...names].sort();
};
const both = ["web-0", "web-1"];
const readyPods = (service = "web") =>
  cluster.informers
    .informer(endpointSlices)
    .lister.list("default")
    .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === service)
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready === true)
    .map(({ targetRef }) => targetRef?.name)
    .sort();
const configMap = (name: string): ConfigMap => ({ metadata: { namespace: "default", name }, data: {} });
const seen = (name: string) => cluster.informers.informer(configMaps).lister.get("default", name) !== undefined;

test("an affinity's time limit follows the clock, to the millisecond", { timeout: 60_000 }, async () => {
  cluster.clock.freeze();
  try {
    const first = await ask("sticky");
    await cluster.clock.advance(59_999);
    expect(await ask("sticky")).toBe(first);
    // Counted from the last request.
    await cluster.clock.advance(59_999);
    expect(await ask("sticky")).toBe(first);
    const chosen = new Set<string>();
    for (let i = 0; i < 60 && chosen.size < 2; i++) {
      await cluster.clock.advance(60_000);
      chosen.add(await ask("sticky"));
    }
    expect([...chosen].sort()).toEqual(both);
  } finally {
    cluster.clock.run();
  }
});

test("ten minutes pass: leases are renewed on the way, no node is lost, no pod leaves", { timeout: 60_000 }, async () => {
  const renewed = async () => (await cluster.client.get(leases, { namespace: "kube-node-lease", name: "node-1" })).spec?.renewTime ?? "";
  const before = Date.parse(await renewed());
  await cluster.clock.advance(600_000);
  expect(Date.parse(await renewed()) - before).toBeGreaterThan(580_000);
  expect(readyPods()).toEqual(both);
});

test.each(["refused", "silent"] as const)(
  "an endpoint that is down (%s): its Service goes round it, its probes fail, it comes back",
  { timeout: 60_000 },
  async (how) => {
    using fault = cluster.faults.endpointDown("web-0", { how });
    const [address] = (cluster.informers.informer(pods).lister.get("default", "web-0")?.status?.podIPs ?? []).map(({ ip }) => ip);
    if (how === "refused") await expect(cluster.fetch(`http://${address}:8080/`)).rejects.toThrow(/refuses connections/);
    // Three failed probes, ten seconds apart, each with the socket's own time.
    await expect
      .poll(async () => {
        await cluster.clock.advance(10_000);
        return readyPods();
      }, patient)
      .toEqual(["web-1"]);
    expect(await answersOf("web", 8)).toEqual(["web-1"]);
    fault.end();
    await expect
      .poll(async () => {
        await cluster.clock.advance(10_000);
        return readyPods();
      }, patient)
      .toEqual(both);
    expect(await answersOf("web", 60)).toEqual(both);
  },
);

test("a pod that is not there cannot be broken", () => {
  expect(() => cluster.faults.endpointDown("nobody")).toThrow(/no such pod/);
});

test.each([
  ["SERVFAIL", "SERVFAIL"],
  ["NXDOMAIN", "NXDOMAIN"],
  ["drop", "SERVFAIL"],
] as const)("DNS answers %s for a name and those below it, others stay", async (answer, seenAs) => {
  const name = "web.default.svc.cluster.local";
  const rcodes = async () => [
    (await cluster.query(name, "A")).rcode,
    (await cluster.query(`x.${name.toUpperCase()}`, "A")).rcode,
    (await cluster.query("sticky.default.svc.cluster.local", "A")).rcode,
  ];
  const before = await rcodes();
  {
    using _fault = cluster.faults.dns({ name, answer });
    expect(await rcodes()).toEqual([seenAs, seenAs, "NOERROR"]);
    await expect(cluster.fetch("http://web/")).rejects.toThrow(/no such name/);
  }
  expect([await rcodes(), await ask("web")]).toEqual([before, expect.stringMatching(/^web-/)]);
});

test("a slow watch: events come so much later by the cluster's clock, and do not add up", async () => {
  cluster.clock.freeze();
  using _fault = cluster.faults.slowWatch({ resource: "configmaps", delay: 500 });
  await cluster.client.create(configMaps, configMap("slow-a"));
  await cluster.client.create(configMaps, configMap("slow-b"));
  await cluster.clock.advance(499);
  expect([seen("slow-a"), seen("slow-b")]).toEqual([false, false]);
  await cluster.clock.advance(1);
  expect([seen("slow-a"), seen("slow-b")]).toEqual([true, true]);
  cluster.clock.run();
});

test("a held watch lets everything through when it is released, in order", { timeout: 60_000 }, async () => {
  const order: string[] = [];
  const unsubscribe = cluster.informers.informer(configMaps).addHandlers({
    added: ({ metadata }) => void (metadata.name?.startsWith("held") === true && order.push(metadata.name)),
  });
  using fault = cluster.faults.slowWatch();
  for (const name of ["held-a", "held-b", "held-c"]) await cluster.client.create(configMaps, configMap(name));
  await cluster.clock.advance(60_000);
  expect(order).toEqual([]);
  fault.end();
  await expect.poll(() => order, patient).toEqual(["held-a", "held-b", "held-c"]);
  unsubscribe();
});

test(
  "a partition that fails: requests are answered 503, watches end, and everything is caught up with afterwards",
  { timeout: 60_000 },
  async () => {
    const controller = cluster.clientAs("system:kube-controller-manager");
    using fault = cluster.faults.partition({ from: "cluster" });
    await expect(controller.list(services)).rejects.toThrow(/cut this client off/);
    await cluster.client.create(configMaps, configMap("during-failure"));
    await cluster.clock.advance(1000);
    expect(seen("during-failure")).toBe(false);
    fault.end();
    // Reflectors back off; the clock carries them over it.
    await expect
      .poll(async () => {
        await cluster.clock.advance(5000);
        return seen("during-failure");
      }, patient)
      .toBe(true);
  },
);

test("a partition that hangs answers when it ends; who gives up before is let go", async () => {
  const reader = cluster.clientAs("reader", ["system:masters"]);
  using fault = cluster.faults.partition({ from: "reader", how: "hang" });
  let answered = false;
  const listing = reader.list(services).then(() => (answered = true));
  const impatient = reader.list(services, { signal: AbortSignal.timeout(20) });
  await expect(impatient).rejects.toThrow(/gave up/);
  await cluster.client.list(services);
  expect(answered).toBe(false);
  fault.end();
  await listing;
  expect(answered).toBe(true);
});

test("who comes over HTTPS is told apart from the cluster's own parts", { timeout: 60_000 }, async () => {
  const transport = httpsTransport(await loadKubeconfig({ path: await cluster.kubeconfig() }));
  try {
    using _fault = cluster.faults.partition({ from: "remote" });
    await expect(createClient(transport, { fieldManager: "test" }).list(services)).rejects.toThrow(/cut this client off/);
    expect((await cluster.client.list(services)).items.length).toBeGreaterThan(0);
  } finally {
    await transport.close();
  }
});

test("a request is explained: that it arrives, or the first cause why not, with what would mend it", async () => {
  expect(await cluster.explain("http://web/")).toMatchObject({
    ok: true,
    code: "Reachable",
    endpoints: [expect.stringMatching(/:8080$/), expect.anything()],
  });
  await cluster.apply(`
apiVersion: v1
kind: Service
metadata: { name: typo }
spec: { selector: { app: wep }, ports: [{ port: 80, targetPort: 8080 }] }
`);
  const answer = await cluster.explain({ target: "http://typo/", from: "pod/default/web-0" });
  expect(answer).toMatchObject({ ok: false, code: "SelectorTypo" });
  expect(answer.changes[0]).toMatchObject({ edit: { field: "spec.selector[app]", to: "web" }, result: "Reachable" });
});

test("rights are those of the user", async () => {
  await expect(cluster.clientAs("nobody").list(pods)).rejects.toThrow(/forbidden/);
});

test("fixtures are files and directories; what is wrong in one is named with its place", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-fixtures-"));
  try {
    writeFileSync(join(directory, "a.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: from-file }\n");
    await cluster.applyFiles(directory);
    expect((await cluster.client.get(configMaps, { namespace: "default", name: "from-file" })).metadata.name).toBe("from-file");
    writeFileSync(join(directory, "b.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: Bad_Name }\n");
    await expect(cluster.applyFiles(directory)).rejects.toThrow(/b\.yaml:3:\d+: .*Bad_Name/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("twenty clusters side by side, each with addresses and objects of its own", { timeout: 60_000 }, async () => {
  const clusters = await Promise.all(Array.from({ length: 20 }, () => startCluster({ disable: ["gateway"] })));
  try {
    const addresses = await Promise.all(
      clusters.map(async (one) => (await one.client.get(services, { namespace: "default", name: "kubernetes" })).spec?.clusterIP),
    );
    expect(new Set(addresses).size).toBe(20);
    await clusters[0]?.client.create(configMaps, configMap("mine"));
    const counts = await Promise.all(
      clusters.map(
        async (one) =>
          (await one.client.list(configMaps, { namespace: "default" })).items.filter(({ metadata }) => metadata.name === "mine").length,
      ),
    );
    expect(counts).toEqual([1, ...Array.from({ length: 19 }, () => 0)]);
  } finally {
    await Promise.all(clusters.map((one) => one.stop()));
  }
});
