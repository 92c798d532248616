/** The way in with real namespaces: programs on the host reach pods by node ports and load balancers, never by cluster IPs. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { readdirSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest";
import { endpointSlices, services } from "../../src/api/resources.ts";
import type { Service } from "../../src/api/types.ts";
import { createFakeApi } from "../../src/client/fake-api.ts";
import { inProcessTransport } from "../../src/client/in-process.ts";
import { createInformerFactory } from "../../src/client/informer-factory.ts";
import { createClient } from "../../src/client/rest.ts";
import { createLoadBalancerWayIn, createNodeWayIn, type WayIn } from "../../src/cmd/way-in.ts";
import { createNamespaces } from "../../src/host/namespaces/create-namespaces.ts";
import type { Namespaces, NodeNetwork, PodNetwork } from "../../src/host/namespaces/namespaces.ts";
import { realClock } from "../../src/lib/clock.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { MetricsRegistry } from "../../src/lib/metrics.ts";

/** Addresses of this process alone. */
const block = `127.${200 + ((process.pid >> 8) % 50)}.${process.pid & 255}`;
const hostAddress = (index: number) => `${block}.${100 + index}`;
const cidr = `${block}.192/26`;
const podPort = 8080;

interface Pod {
  readonly v4: string;
  readonly v6: string;
  readonly node: string;
}
const pods: readonly Pod[] = [1, 2].flatMap((node) =>
  [2, 3].map((last) => ({ v4: `10.244.${node}.${last}`, v6: `fd00:10:244:${node}::${last}`, node: `node-${node}` })),
);

let unsupported = "";
let namespaces: Namespaces | undefined;
let client: ReturnType<typeof createClient>;
const wayIns: WayIn[] = [];
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  if (process.getuid?.() !== 0) return void (unsupported = "needs root: makes network namespaces");
  namespaces = await createNamespaces();
  const nodes: NodeNetwork[] = [];
  for (const index of [1, 2]) {
    const podCIDRs = families([`10.244.${index}.0/24`], [`fd00:10:244:${index}::/64`]);
    nodes.push(await namespaces.createNode({ name: `node-${index}`, index, podCIDRs }));
  }
  for (const pod of pods) {
    const node = nodes.find(({ name }) => name === pod.node) as NodeNetwork;
    await servePod(pod, await node.addPod({ id: pod.v4, addresses: families([pod.v4], [pod.v6]) }));
  }
  client = createClient(inProcessTransport(createFakeApi([services, endpointSlices]), { name: "test", groups: [] }), {
    fieldManager: "test",
  });
  const informers = createInformerFactory(client, { clock: realClock });
  const context = {
    informers,
    clusterCIDRs: ["10.244.0.0/16", "fd00:10:244::/56"],
    fabric: namespaces.fabric,
    clock: realClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
  };
  const places = nodes.map((network, i) => ({
    network,
    cidrs: [`10.244.${i + 1}.0/24`, `fd00:10:244:${i + 1}::/64`, ...network.addresses],
  }));
  nodes.forEach((network, i) =>
    wayIns.push(createNodeWayIn({ name: network.name, labels: {}, network, hostAddress: hostAddress(i + 1) }, context)),
  );
  wayIns.push(createLoadBalancerWayIn({ cidr, nodes: () => places }, context));
  for (const wayIn of wayIns) await wayIn.start();
  informers.start();
  closing.push(() => informers.stop());
}, 120_000);

afterAll(async () => {
  for (const wayIn of wayIns) await wayIn.stop();
  for (const close of closing.splice(0).reverse()) await close();
  await namespaces?.stop();
}, 120_000);

function families<T>(v4: readonly T[], v6: readonly T[]): readonly T[] {
  return namespaces?.families.includes(6) === true ? [...v4, ...v6] : v4;
}

/** Says who it is and whom it sees, by TCP and UDP, in both families. */
async function servePod({ v4, v6 }: Pod, network: PodNetwork): Promise<void> {
  for (const address of families([v4], [v6])) {
    const server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
      let text = "";
      socket.on("data", (chunk) => (text += String(chunk)));
      socket.on("end", () => socket.end(`${v4} sees ${socket.remoteAddress} ${text}`));
      socket.on("error", () => {});
    });
    const { fd } = await network.listen(address, podPort);
    await new Promise<void>((ready) => server.listen({ fd }, ready));
    closing.push(() => server.close());
    const datagrams: UdpSocket = createSocket(address.includes(":") ? "udp6" : "udp4", (message, from) =>
      datagrams.send(`${v4} sees ${from.address} ${String(message)}`, from.port, from.address),
    );
    const bound = await network.bindUdp(address, podPort);
    await new Promise<void>((ready) => datagrams.bind({ fd: bound.fd }, ready));
    closing.push(() => datagrams.close());
  }
}

interface Wanted {
  readonly name: string;
  readonly nodePort: number;
  readonly ip: string;
  readonly spec?: Partial<NonNullable<Service["spec"]>>;
  readonly endpoints?: readonly Pod[];
  readonly family?: "IPv4" | "IPv6";
}

/** A Service with TCP and UDP on port 8000, ready at every way in. */
async function create({ name, nodePort, ip, spec = {}, endpoints = pods, family = "IPv4" }: Wanted): Promise<void> {
  const protocols = ["TCP", "UDP"] as const;
  const clusterIP = family === "IPv4" ? "10.96.0.7" : "fd00:10:96::7";
  const ports = protocols.map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: 8000, nodePort, targetPort: podPort }));
  await client.create(services, {
    metadata: { namespace: "default", name },
    spec: { type: "LoadBalancer", clusterIP, clusterIPs: [clusterIP], ipFamilies: [family], ports, ...spec },
    status: { loadBalancer: { ingress: [{ ip, ipMode: "Proxy" }] } },
  });
  await client.create(endpointSlices, {
    metadata: { namespace: "default", name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: family,
    endpoints: endpoints.map(({ v4, v6, node }) => ({
      addresses: [family === "IPv4" ? v4 : v6],
      nodeName: node,
      conditions: { ready: true },
    })),
    ports: protocols.map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: podPort })),
  });
}

function ask(host: string, port: number, localAddress = "127.0.0.1"): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, localAddress, allowHalfOpen: true });
    let text = "";
    socket.on("data", (chunk) => (text += String(chunk)));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    socket.on("close", (failed) => failed || resolve(text));
    socket.end("hi");
  });
}

/** Until the listener is there. */
async function answers(times: number, host: string, port: number, localAddress?: string): Promise<readonly string[]> {
  while ((await ask(host, port)) === "ECONNREFUSED") await Promise.all(wayIns.map((wayIn) => wayIn.settled()));
  const all: string[] = [];
  for (let i = 0; i < times; i++) all.push(await ask(host, port, localAddress));
  return [...new Set(all)].sort();
}

/** Asked again until an answer comes. */
async function askUdp(host: string, port: number): Promise<string> {
  const socket = createSocket("udp4");
  const answer = new Promise<string>((resolve) =>
    socket.once("message", (message, from) => resolve(`${String(message)} from ${from.address}`)),
  );
  // ECONNREFUSED comes while nothing listens yet.
  socket.on("error", () => {});
  const send = () => socket.send("hi", port, host);
  send();
  const again = setInterval(send, 200);
  return await answer.finally(() => (clearInterval(again), socket.close()));
}

const sees = (list: readonly Pod[], client: (pod: Pod) => string) => list.map((pod) => `${pod.v4} sees ${client(pod)} hi`).sort();
const nodeIp = ({ node }: Pod) => (node === "node-1" ? "10.250.0.1" : "10.250.0.2");
const atNode = (name: string) => pods.filter(({ node }) => node === name);

describe("from the host", { timeout: 120_000 }, () => {
  const needs = (ctx: TestContext) => (unsupported === "" ? undefined : ctx.skip(unsupported));

  test("a NodePort is open on every node; pods see the node that was asked", async (ctx) => {
    needs(ctx);
    await create({ name: "plain", nodePort: 30_080, ip: `${block}.193` });
    expect(await answers(8, hostAddress(1), 30_080)).toEqual(sees(pods, () => "10.250.0.1"));
    expect(await answers(8, hostAddress(2), 30_080)).toEqual(sees(pods, () => "10.250.0.2"));
    expect(await askUdp(hostAddress(2), 30_080)).toMatch(/^10\.244\.\d\.\d sees 10\.250\.0\.2 hi from 127\./);
  });

  test("a load balancer has its own address; pods see their node", async (ctx) => {
    needs(ctx);
    await create({ name: "balanced", nodePort: 30_081, ip: `${block}.194` });
    expect(await answers(8, `${block}.194`, 8000)).toEqual(sees(pods, nodeIp));
    expect(await askUdp(`${block}.194`, 8000)).toMatch(/ hi from 127\./);
  });

  test("by policy Local a node has its own pods only, and these see the host", async (ctx) => {
    needs(ctx);
    const endpoints = atNode("node-1");
    await create({ name: "local", nodePort: 30_082, ip: `${block}.195`, spec: { externalTrafficPolicy: "Local" }, endpoints });
    expect(await answers(4, hostAddress(1), 30_082)).toEqual(sees(endpoints, () => "10.250.0.254"));
    expect(await ask(hostAddress(2), 30_082)).toBe("ECONNREFUSED");
    expect(await answers(4, `${block}.195`, 8000)).toEqual(sees(endpoints, () => "10.250.0.254"));
    expect(await askUdp(`${block}.195`, 8000)).toContain("sees 10.250.0.254 hi");
  });

  test("affinity holds for each client", async (ctx) => {
    needs(ctx);
    await create({ name: "sticky", nodePort: 30_083, ip: `${block}.196`, spec: { sessionAffinity: "ClientIP" } });
    const [a, b] = [await answers(5, `${block}.196`, 8000, `${block}.1`), await answers(5, `${block}.196`, 8000, `${block}.2`)];
    expect([a.length, b.length]).toEqual([1, 1]);
    expect(a).not.toEqual(b);
  });

  test("pods that have IPv6 only are reached as well", async (ctx) => {
    needs(ctx);
    if (namespaces?.families.includes(6) !== true) ctx.skip("needs IPv6");
    await create({ name: "six", nodePort: 30_084, ip: `${block}.197`, family: "IPv6" });
    expect(await answers(8, hostAddress(1), 30_084)).toEqual(sees(pods, () => "fd00:10:250::1"));
    expect(await answers(8, `${block}.197`, 8000)).toEqual(
      sees(pods, (pod) => (pod.node === "node-1" ? "fd00:10:250::1" : "fd00:10:250::2")),
    );
  });

  test("connections that are over hold no descriptor", async (ctx) => {
    needs(ctx);
    await create({ name: "often", nodePort: 30_087, ip: `${block}.200` });
    await answers(1, `${block}.200`, 8000);
    const descriptors = () => readdirSync("/proc/self/fd").length;
    const before = descriptors();
    for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 50 }, () => ask(`${block}.200`, 8000)));
    // The last ones close in their own time.
    while (descriptors() > before) await new Promise((next) => setTimeout(next, 10));
  });

  test("without endpoints the host is refused at once; what is gone is refused too", async (ctx) => {
    needs(ctx);
    await create({ name: "empty", nodePort: 30_085, ip: `${block}.198`, endpoints: [] });
    await Promise.all(wayIns.map((wayIn) => wayIn.settled()));
    expect(await ask(`${block}.198`, 8000)).toBe("ECONNREFUSED");
    expect(await ask(hostAddress(1), 30_085)).toBe("ECONNREFUSED");
    await create({ name: "going", nodePort: 30_086, ip: `${block}.199` });
    expect(await answers(1, `${block}.199`, 8000)).toHaveLength(1);
    await client.delete(services, { namespace: "default", name: "going" });
    while ((await ask(`${block}.199`, 8000)) !== "ECONNREFUSED") await new Promise((next) => setImmediate(next));
  });
});
