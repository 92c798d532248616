import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../api/types.ts";
import { planService, type PlanNode, type ServicePlan } from "../../decide/proxy/index.ts";
import { localhostPlan } from "../../decide/proxy/localhost.ts";
import { realClock } from "../../lib/clock.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import { proxyMetrics } from "../metrics.ts";
import type { Backend } from "./backend.ts";
import { withLocalhostNodePorts } from "./localhost.ts";
import { UserspaceBackend } from "./userspace/apply.ts";

const node: PlanNode = { name: "node-1", addresses: ["10.250.0.1"], nodePortAddresses: ["10.250.0.1"], clusterCIDRs: ["10.244.0.0/16"] };
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function plan(nodePort: number, endpointPort: number | undefined, policy = "Cluster"): ServicePlan {
  const service = {
    metadata: { namespace: "shop", name: "web" },
    spec: { type: "NodePort", clusterIP: "10.96.0.1", externalTrafficPolicy: policy, ports: [{ port: 80, nodePort }] },
  } as Service;
  const slice: EndpointSlice = {
    metadata: { namespace: "shop", name: "web-1" },
    addressType: "IPv4",
    endpoints: endpointPort === undefined ? [] : [{ addresses: ["127.0.0.1"], nodeName: "node-2" }],
    ports: [{ port: endpointPort ?? 1, protocol: "TCP" }],
  };
  return planService(service, [slice], node);
}

const listening = (server: Server) =>
  new Promise<number>((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((done) => server.close(done));
  return port;
}

/** As the kernel's rules: they say yes, or refuse a Service. */
function kernelBackend(): Backend & { refuse: boolean; readonly seen: string[] } {
  const seen: string[] = [];
  return {
    mode: "nftables",
    refuse: false,
    seen,
    async apply(key) {
      seen.push(key);
      if (this.refuse) throw new Error("refused");
      return [];
    },
    dial: async () => ({ kind: "unknown" }),
    takeReleased: () => [],
    served: 1,
    stop: async () => undefined,
  };
}

function start() {
  const kernel = kernelBackend();
  const metrics = proxyMetrics(new MetricsRegistry());
  const userspace = new UserspaceBackend({ clock: realClock, metrics, classify: () => "node", hostAddresses: [] });
  const backend = withLocalhostNodePorts({ kernel, userspace, families: [4, 6] });
  closing.push(() => backend.stop());
  return { kernel, backend };
}

function ask(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("data", (chunk) => resolve(String(chunk)));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once("data", () => socket.destroy());
  });
}

test("a NodePort answers at 127.0.0.1 beside a kernel mode, and is refused when its Service has gone", async () => {
  const server = createServer((socket) => socket.end("hello"));
  const target = await listening(server);
  closing.push(() => new Promise((done) => server.close(done)));
  const { kernel, backend } = start();
  const port = await freePort();
  expect(await backend.apply("shop/web", plan(port, target))).toEqual([]);
  expect([await ask(port), kernel.seen, backend.served]).toEqual(["hello", ["shop/web"], 2]);
  await backend.apply("shop/web", undefined);
  expect(await ask(port)).toBe("ECONNREFUSED");
});

test("a port that another program has is a problem of that Service, which the kernel serves all the same", async () => {
  const other = createServer();
  const taken = await listening(other);
  closing.push(() => new Promise((done) => other.close(done)));
  expect(await start().backend.apply("shop/web", plan(taken, 1))).toMatchObject([
    { reason: "AddressInUse", address: "127.0.0.1", port: taken },
  ]);
});

test("what the kernel refuses is not opened here", async () => {
  const { kernel, backend } = start();
  const port = await freePort();
  kernel.refuse = true;
  await expect(backend.apply("shop/web", plan(port, 1))).rejects.toThrow("refused");
  expect(await ask(port)).toBe("ECONNREFUSED");
});

test("at loopback everybody is the node itself, and policy Local does not keep it out", () => {
  const local = localhostPlan(plan(30_080, 8080, "Local"));
  const ports = local?.kind === "service" ? local.ports : [];
  expect(ports.flatMap(({ addresses }) => addresses.map(({ address, verdicts }) => [address, verdicts.external.kind]))).toEqual([
    ["127.0.0.1", "dnat"],
  ]);
  expect(
    localhostPlan(
      planService(
        { metadata: { namespace: "shop", name: "web" }, spec: { clusterIP: "10.96.0.1", ports: [{ port: 80 }] } } as Service,
        [],
        node,
      ),
    ),
  ).toBeUndefined();
  expect(localhostPlan(undefined)).toBeUndefined();
});
