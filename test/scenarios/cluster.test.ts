/** A whole cluster in this process: names, traffic, restarts, and what is refused. Pods are functions. */
import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configMaps, deployments, endpointSlices, events, services } from "../../src/api/resources.ts";
import { startCluster, type PodFunction, type TestCluster } from "../../src/testing/index.ts";

/** Answers with its pod's name. */
const echo: PodFunction = ({ pod }) =>
  createServer((request, response) => response.end(`${pod.metadata.name} ${request.headers.host} ${request.socket.remoteAddress}`));

const web = (replicas: number, extra = "") => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers: [{ name: web, image: test/echo, ports: [{ name: http, containerPort: 8080 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }]${extra} }
`;

describe.each([false, true])("in process, objects crossing as bytes: %s", (encode) => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startCluster({ encode, functions: { "test/echo": echo } });
    await cluster.apply(web(3));
    await cluster.untilReady("deployment/web");
    await cluster.untilReady("service/web");
  });
  afterAll(() => cluster.stop());

  test("a Service carries traffic to every replica", async () => {
    await expect
      .poll(
        async () =>
          new Set(
            await Promise.all(Array.from({ length: 9 }, async () => (await (await cluster.fetch("http://web/")).text()).split(" ")[0])),
          ).size,
      )
      .toBe(3);
  });

  test("names resolve: short, qualified, headless, SRV, PTR, CNAME, pod", async () => {
    await cluster.apply(`
apiVersion: v1
kind: Service
metadata: { name: web-headless }
spec: { clusterIP: None, selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: v1
kind: Service
metadata: { name: outside }
spec: { type: ExternalName, externalName: outside.example.com }
`);
    const ip = (await cluster.client.get(services, { namespace: "default", name: "web" })).spec?.clusterIP ?? "";
    expect(await cluster.resolve("web.default.svc.cluster.local")).toEqual([ip]);
    await cluster.untilReady("service/web-headless");
    await expect.poll(() => cluster.resolve("web-headless.default.svc.cluster.local")).toHaveLength(3);
    expect(await cluster.resolve("_http._tcp.web.default.svc.cluster.local", "SRV")).toEqual(["0 100 80 web.default.svc.cluster.local."]);
    expect(await cluster.resolve(`${ip.split(".").reverse().join(".")}.in-addr.arpa`, "PTR")).toEqual(["web.default.svc.cluster.local."]);
    expect(await cluster.resolve("outside.default.svc.cluster.local", "CNAME")).toEqual(["outside.example.com."]);
    expect(await cluster.resolve("10-244-0-5.default.pod.cluster.local")).toEqual(["10.244.0.5"]);
    expect((await cluster.query("nobody.default.svc.cluster.local", "A")).rcode).toBe("NXDOMAIN");
    expect(await cluster.query("web.default.svc.cluster.local", "TXT")).toEqual({ rcode: "NOERROR", answers: [] });
  });

  test("an endpoint that is gone is in no answer any more", async () => {
    await cluster.client.patch(deployments, { namespace: "default", name: "web" }, "application/merge-patch+json", {
      spec: { replicas: 1 },
    });
    await cluster.untilReady("deployment/web");
    await expect.poll(() => cluster.resolve("web-headless.default.svc.cluster.local")).toHaveLength(1);
    await expect.poll(async () => (await cluster.fetch("http://web.default.svc.cluster.local/")).status).toBe(200);
  });

  test("zero endpoints are refused at once", async () => {
    await cluster.client.patch(deployments, { namespace: "default", name: "web" }, "application/merge-patch+json", {
      spec: { replicas: 0 },
    });
    await cluster.untilReady("deployment/web");
    await expect
      .poll(() => cluster.fetch("http://web/").then(String, (error: Error) => error.message))
      .toMatch(/Service default\/web.*(endpoint|refused)/);
  });
});

test("affinity: one client stays with one pod", async () => {
  await using cluster = await startCluster({ functions: { "test/echo": echo }, manifests: web(3, ", sessionAffinity: ClientIP") });
  await cluster.untilReady("deployment/web");
  await cluster.untilReady("service/web");
  const names = new Set<string>();
  for (let i = 0; i < 12; i++) names.add((await (await cluster.fetch("http://web/")).text()).split(" ")[0] ?? "");
  expect(names.size).toBe(1);
});

test("a ClusterIP stays for the Service's life, also over a change of type", async () => {
  await using cluster = await startCluster({ manifests: web(0) });
  const address = async () => (await cluster.client.get(services, { namespace: "default", name: "web" })).spec?.clusterIP;
  const before = await address();
  await cluster.client.patch(services, { namespace: "default", name: "web" }, "application/merge-patch+json", {
    spec: { type: "NodePort" },
  });
  expect(await address()).toBe(before);
  await expect(
    cluster.client.patch(services, { namespace: "default", name: "web" }, "application/merge-patch+json", {
      spec: { clusterIP: "127.96.9.9", clusterIPs: ["127.96.9.9"] },
    }),
  ).rejects.toThrow("may not change once set");
});

test("the live Corefile is a ConfigMap: an edit reloads, a bad one changes nothing and says so", async () => {
  await using cluster = await startCluster();
  const edit = (corefile: string) =>
    cluster.client.patch(configMaps, { namespace: "kube-system", name: "coredns" }, "application/merge-patch+json", {
      data: { Corefile: corefile },
    });
  await edit(".:53 {\n  hosts {\n    192.0.2.7 printer.example\n    fallthrough\n  }\n  kubernetes cluster.local\n}\n");
  await expect.poll(() => cluster.resolve("printer.example")).toEqual(["192.0.2.7"]);
  await edit(".:53 {\n  no-such-plugin\n}\n");
  await expect
    .poll(
      async () =>
        (await cluster.client.list(events, { namespace: "kube-system" })).items.find(({ reason }) => reason === "ReloadFailed")?.message,
    )
    .toMatch(/Corefile:2.*no-such-plugin/);
  expect(await cluster.resolve("printer.example")).toEqual(["192.0.2.7"]);
});

test("bad input is refused with its place; the rest is applied", async () => {
  await using cluster = await startCluster({ functions: { "test/echo": echo } });
  const failure = await cluster
    .apply(`
apiVersion: v1
kind: Service
metadata: { name: a }
spec: { ports: [{ port: 70000 }] }
---
a: b: c
---
apiVersion: v1
kind: Service
metadata: { name: b }
spec: { selektor: { a: b }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Gadget
metadata: { name: c }
---
apiVersion: v1
kind: Service
metadata: { name: one }
spec: { type: NodePort, ports: [{ port: 80, nodePort: 30111 }] }
---
apiVersion: v1
kind: Service
metadata: { name: two }
spec: { type: NodePort, ports: [{ port: 80, nodePort: 30111 }] }
`)
    .then(String, (error: Error) => error.message);
  expect(failure).toContain("manifests:5:25: Service a: spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive");
  expect(failure).toMatch(/manifests:7:4: .*mapping/i);
  expect(failure).toContain(
    "Service b: failed to create typed patch object (default/b; v1, Kind=Service): .spec.selektor: field not declared in schema",
  );
  expect(failure).toContain('Gadget c: no matches for kind "Gadget" in version "v1"');
  expect(failure).toContain("Service two: spec.ports[0].nodePort: Invalid value: 30111: provided port is already allocated");
  expect((await cluster.client.get(services, { namespace: "default", name: "one" })).spec?.ports?.[0]?.nodePort).toBe(30111);
});

test("a selector that finds nothing is told by an Event, with what is near", async () => {
  await using cluster = await startCluster({ functions: { "test/echo": echo }, manifests: web(1) });
  await cluster.apply("apiVersion: v1\nkind: Service\nmetadata: {name: typo}\nspec: {selector: {app: wep}, ports: [{port: 80}]}\n");
  await expect
    .poll(async () => (await cluster.client.list(events)).items.find(({ reason }) => reason === "SelectsNothing")?.message, {
      timeout: 6000,
    })
    .toMatch(/no pod in namespace default matches app=wep/);
  expect(cluster.explainService("default", "typo")).toMatchObject({ ok: false, finding: "SelectsNothing" });
  expect(
    (await cluster.client.list(endpointSlices)).items.find(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === "typo")
      ?.endpoints ?? [],
  ).toEqual([]);
});

test("two clusters side by side do not see each other", async () => {
  await using first = await startCluster({ functions: { "test/echo": echo }, manifests: web(1) });
  await using second = await startCluster({ functions: { "test/echo": echo } });
  await first.untilReady("service/web");
  expect((await first.fetch("http://web/")).status).toBe(200);
  expect((await second.query("web.default.svc.cluster.local", "A")).rcode).toBe("NXDOMAIN");
  await expect(second.fetch("http://web/")).rejects.toThrow("no such name");
});
