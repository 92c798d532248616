/**
 * 1,000 edits of routes while requests and WebSockets go on (`edits.ts [edits] [requests/s] [WebSockets]`), and what 10,000 HTTPRoutes
 * cost (`edits.ts size`). The gateway, its API and its backend share this process; the load is a process of its own.
 */
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { endpointSlices, events, ingressClasses, ingresses, secrets, services } from "../../src/api/resources.ts";
import type { Service } from "../../src/api/types.ts";
import { createFakeApi } from "../../src/client/fake-api.ts";
import { inProcessTransport } from "../../src/client/in-process.ts";
import { createInformerFactory } from "../../src/client/informer-factory.ts";
import { createClient } from "../../src/client/rest.ts";
import { match, type Listener, type RouteRequest } from "../../src/decide/routes/index.ts";
import { request } from "../../src/decide/routes/testing.ts";
import type { GatewayClass, GatewayObject, HttpRoute } from "../../src/decide/routes/gateway-api/index.ts";
import { GatewayTracker, type GatewayChange } from "../../src/gateway/control/gateway-tracker.ts";
import { createGateway } from "../../src/gateway/gateway.ts";
import { realClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { MetricsRegistry } from "../../src/lib/metrics.ts";

const [first = "1000", rate = "2000", sockets = "200"] = process.argv.slice(2);
if (first === "size") measureSizes();
else await edit(Number(first), Number(rate), Number(sockets));

async function edit(edits: number, perSecond: number, webSockets: number): Promise<void> {
  const backend = createServer((_, response) => void response.end("ok"));
  backend.on("upgrade", (_, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    socket.pipe(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
  const api = createFakeApi([ingresses, ingressClasses, services, endpointSlices, secrets, events]);
  const client = createClient(inProcessTransport(api, { name: "gateway", groups: [] }), { fieldManager: "gateway" });
  const informers = createInformerFactory(client, { clock: realClock });
  const listen = [{ name: "http", protocol: "HTTP", host: "127.0.0.1", ports: [0] }] as const;
  const gateway = createGateway({ client, informers, clock: realClock, log: silentLogger, metrics: new MetricsRegistry(), listen });
  await client.create(services, { metadata: { namespace: "shop", name: "web" }, spec: { ports: [{ port: 80 }] } } as Service);
  await client.create(endpointSlices, {
    metadata: { namespace: "shop", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
    ports: [{ name: "", port: (backend.address() as AddressInfo).port, protocol: "TCP" }],
  });
  const ingress = (name: string, path: string) => ({
    metadata: { namespace: "shop", name },
    spec: {
      rules: [
        {
          host: "shop.localhost",
          http: { paths: [{ path, pathType: "Prefix", backend: { service: { name: "web", port: { number: 80 } } } }] },
        },
      ],
    },
  });
  await client.create(ingresses, ingress("web", "/"));
  await gateway.start();
  informers.start();
  await informers.waitForSync();
  await gateway.settled();
  const port = gateway.addresses[0]?.port ?? 0;
  const load = spawn(
    process.execPath,
    [new URL("edits-load.ts", import.meta.url).pathname, String(port), String(perSecond), String(webSockets)],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const lines = createInterface({ input: load.stdout })[Symbol.asyncIterator]();
  await lines.next();
  const began = performance.now();
  for (let count = 0; count < edits; count++) {
    const name = `edit-${count % 50}`;
    if (count < 50) await client.create(ingresses, ingress(name, `/p${count}`));
    else
      await client.patch(ingresses, { namespace: "shop", name }, "application/merge-patch+json", {
        spec: ingress(name, `/p${count}`).spec,
      });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await gateway.settled();
  const seconds = (performance.now() - began) / 1000;
  load.stdin.end();
  const { value = "{}" } = (await lines.next()) as { value?: string };
  const { answered, errors, alive } = JSON.parse(value) as { answered: number; errors: Readonly<Record<string, number>>; alive: number };
  const failed = Object.values(errors).reduce((sum, each) => sum + each, 0);
  process.stdout.write(
    `${edits} edits in ${seconds.toFixed(1)} s: ${answered} requests answered (${(answered / seconds).toFixed(0)}/s), ${failed} failed ${JSON.stringify(errors)}; ${alive} of ${webSockets} WebSockets alive\n`,
  );
  process.exit(failed === 0 && alive === webSockets ? 0 : 1);
}

function measureSizes(): void {
  const world = {
    controllerName: "c",
    gatewayClass: () => ({ metadata: { name: "c" }, spec: { controllerName: "c" } }) as GatewayClass,
    namespaceLabels: () => ({}),
    service: () => undefined,
    secret: () => undefined,
    configMap: () => undefined,
    slices: () => [],
    grants: () => [],
    backendTlsPolicies: () => [],
    certificateFault: () => undefined,
    bundleFault: () => undefined,
  };
  const route = (index: number, version = 0): HttpRoute => ({
    kind: "HTTPRoute",
    metadata: { namespace: "bench", name: `r${index}`, uid: `r${index}`, generation: version, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: {
      parentRefs: [{ name: "edge" }],
      hostnames: [index % 10 === 0 ? "shared.example.com" : `h${index}.example.com`],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: `/api/p${index}` } }, { path: { type: "PathPrefix", value: `/v${version}` } }],
          backendRefs: [{ name: `s${index % 500}`, port: 80 }],
        },
      ],
    },
  });
  const measure = (size: number) => {
    const tracker = new GatewayTracker(world);
    tracker.setGateway({
      metadata: { namespace: "bench", name: "edge", generation: 1 },
      spec: { gatewayClassName: "c", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
    } as GatewayObject);
    for (let index = 0; index < size; index++) tracker.setRoute(route(index));
    const work = () => tracker.work(() => false) as GatewayChange;
    const before = process.memoryUsage().heapUsed;
    let began = performance.now();
    let listener = work().gateways.get("bench/edge")?.listeners[0] as Listener;
    const build = performance.now() - began;
    const memory = process.memoryUsage().heapUsed - before;
    const edits = Array.from({ length: 31 }, (_, round) => {
      began = performance.now();
      tracker.setRoute(route(1, round + 1));
      listener = work().gateways.get("bench/edge")?.listeners[0] as Listener;
      match(listener, request("http://h1.example.com/api/p1/x"));
      return performance.now() - began;
    }).toSorted((a, b) => a - b);
    const asked = [
      request("http://h1.example.com/api/p1/x"),
      request("http://shared.example.com/api/p0/x/y"),
      request("http://none.example.com/"),
    ];
    const rounds = Array.from({ length: 21 }, () => {
      began = performance.now();
      for (let count = 0; count < 50_000; count++) match(listener, asked[count % 3] as RouteRequest);
      return (performance.now() - began) * 20;
    }).toSorted((a, b) => a - b);
    return { size, build, memory, edit: edits[15] as number, ns: rounds[10] as number };
  };
  for (let warm = 0; warm < 3; warm++) measure(100);
  const results = [10, 100, 1000, 10_000].map(measure);
  for (const { size, build, memory, edit: ms, ns } of results) {
    const ratio = ns / (results[0]?.ns ?? 1);
    process.stdout.write(
      `${String(size).padStart(6)} HTTPRoutes: build ${build.toFixed(1)} ms, ${(memory / 2 ** 20).toFixed(1)} MiB, one edit ${ms.toFixed(2)} ms, match ${ns.toFixed(0)} ns (${ratio.toFixed(2)} × that of 10)\n`,
    );
  }
}
