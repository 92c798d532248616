/** The hop on the host, with places that stand for namespaces and say from where they connect. */
import { createSocket } from "node:dgram";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test, type TestContext } from "vitest";
import { endpointSlices, services } from "../api/resources.ts";
import type { EndpointSlice, Service } from "../api/types.ts";
import { createFakeApi } from "../client/fake-api.ts";
import { inProcessTransport } from "../client/in-process.ts";
import { createInformerFactory } from "../client/informer-factory.ts";
import { createClient } from "../client/rest.ts";
import { SOCK_DGRAM } from "../host/syscalls/constants.ts";
import { loadLibc } from "../host/syscalls/libc.ts";
import { encodeSocketAddress } from "../host/syscalls/socket-address.ts";
import { realClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { createLoadBalancerWayIn, createNodeWayIn, type WayInContext } from "./way-in.ts";
import type { Place } from "./way-in-transport.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Addresses of this process alone: pods in the first quarter, the host's side in the last. */
const block = `127.${200 + ((process.pid >> 8) % 50)}.${process.pid & 255}`;
const lbCidr = `${block}.192/26`;
const [podOne, podTwo] = [`${block}.1`, `${block}.2`];

/** Connects from one address of its own, which is how a test sees through which place a connection came. */
function place(localAddress: string): Place {
  return {
    connect: ({ host, port }) =>
      new Promise((resolve, reject) => {
        const socket = connect({ host, port, localAddress, allowHalfOpen: true });
        socket.once("error", reject);
        socket.once("connect", () => resolve(socket));
      }),
    bindUdp: async () => {
      const libc = loadLibc();
      if (libc === undefined) throw new Error("needs FFI");
      const fd = libc.socket(2, SOCK_DGRAM, 0);
      libc.bind(fd, encodeSocketAddress(localAddress, 0));
      return { fd, port: 0 };
    },
  };
}
const [nodeOne, nodeTwo, fabric] = [`${block}.101`, `${block}.102`, `${block}.100`] as const;

async function cluster(): Promise<{ context: WayInContext; create: (service: Service, ...pods: string[]) => Promise<void> }> {
  const client = createClient(inProcessTransport(createFakeApi([services, endpointSlices]), { name: "test", groups: [] }), {
    fieldManager: "test",
  });
  const informers = createInformerFactory(client, { clock: realClock });
  informers.informer(services);
  informers.informer(endpointSlices);
  informers.start();
  closing.push(() => informers.stop());
  const context = {
    informers,
    clusterCIDRs: [`${block}.0/26`],
    fabric: place(fabric),
    clock: realClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
  };
  const create = async (service: Service, ...pods: string[]) => {
    await client.create(services, service);
    await client.create(endpointSlices, sliceOf(service, pods));
  };
  return { context, create };
}

function sliceOf({ metadata, spec }: Service, pods: readonly string[]): EndpointSlice {
  return {
    metadata: { namespace: "default", name: `${metadata.name}-1`, labels: { "kubernetes.io/service-name": metadata.name ?? "" } },
    addressType: "IPv4",
    endpoints: pods.map((ip) => ({ addresses: [ip], conditions: { ready: true }, nodeName: ip === podOne ? "node-1" : "node-2" })),
    ports: [{ name: "", port: Number(spec?.ports?.[0]?.targetPort), protocol: spec?.ports?.[0]?.protocol ?? "TCP" }],
  };
}

function service(targetPort: number, spec: Partial<NonNullable<Service["spec"]>> = {}, ...ips: string[]): Service {
  return {
    metadata: { namespace: "default", name: "web" },
    spec: {
      type: "LoadBalancer",
      clusterIP: "10.96.0.7",
      clusterIPs: ["10.96.0.7"],
      ports: [{ port: 8080, nodePort: 30_080, targetPort }],
      ...spec,
    },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip, ipMode: "Proxy" })) } },
  };
}

/** A pod says its address and whom it sees; both pods on the same port. */
async function pods(): Promise<number> {
  let port = 0;
  for (const ip of [podOne, podTwo]) {
    const server: Server = createServer((socket: Socket) => socket.end(`${ip} ${socket.remoteAddress}`));
    await new Promise<void>((ready) => server.listen(port, ip, ready));
    port = (server.address() as { port: number }).port;
    closing.push(() => server.close());
  }
  return port;
}

function ask(host: string, port: number, localAddress = "127.0.0.1"): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, localAddress });
    let text = "";
    socket.on("data", (chunk) => (text += String(chunk)));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    socket.on("close", (failed) => failed || resolve(text));
  });
}
const askTimes = async (times: number, host: string, port: number, localAddress?: string) => {
  const answers: string[] = [];
  for (let i = 0; i < times; i++) answers.push(await ask(host, port, localAddress));
  return answers.sort();
};

const nodePlace = (name: string, at: string, hostAddress: string) => ({ name, labels: {}, network: place(at), hostAddress });

test("NodePorts: each node at its own address; pods see the node, by policy Local the host", async () => {
  const { context, create } = await cluster();
  const port = await pods();
  const one = createNodeWayIn(nodePlace("node-1", nodeOne, `${block}.71`), context);
  const three = createNodeWayIn(nodePlace("node-3", nodeTwo, `${block}.73`), context);
  for (const wayIn of [one, three]) {
    await wayIn.start();
    closing.push(() => wayIn.stop());
  }
  await create(service(port), podOne, podTwo);
  const local = service(port, { externalTrafficPolicy: "Local", ports: [{ port: 8080, nodePort: 30_081, targetPort: port }] });
  await create({ ...local, metadata: { ...local.metadata, name: "local" } }, podOne, podTwo);
  for (;;) {
    await Promise.all([one.settled(), three.settled()]);
    if ((await ask(`${block}.71`, 30_080)) !== "ECONNREFUSED" && (await ask(`${block}.71`, 30_081)) !== "ECONNREFUSED") break;
  }
  expect(await askTimes(2, `${block}.71`, 30_080)).toEqual([`${podOne} ${nodeOne}`, `${podTwo} ${nodeOne}`]);
  expect(await askTimes(2, `${block}.73`, 30_080)).toEqual([`${podOne} ${nodeTwo}`, `${podTwo} ${nodeTwo}`]);
  expect(await askTimes(2, `${block}.71`, 30_081)).toEqual([`${podOne} ${fabric}`, `${podOne} ${fabric}`]);
  expect(await ask(`${block}.73`, 30_081)).toBe("ECONNREFUSED");
  expect(one.listensAt(`${block}.71`, 30_080)).toBe(30_080);
  expect(one.limits()).toEqual([]);
});

async function balancer(context: WayInContext) {
  const nodes = [
    { network: place(nodeOne), cidrs: [`${podOne}/32`] },
    { network: place(nodeTwo), cidrs: [`${podTwo}/32`] },
  ];
  const wayIn = createLoadBalancerWayIn({ cidr: lbCidr, nodes: () => nodes }, context);
  await wayIn.start();
  closing.push(() => wayIn.stop());
  return wayIn;
}

test("a load balancer: spread, affinity by client, source ranges, and the node of each endpoint", async () => {
  const { context, create } = await cluster();
  const port = await pods();
  const wayIn = await balancer(context);
  const [spread, sticky, walled] = [`${block}.193`, `${block}.194`, `${block}.195`];
  const named = (name: string, given: Service): Service => ({ ...given, metadata: { ...given.metadata, name } });
  await create(named("spread", service(port, {}, spread)), podOne, podTwo);
  await create(named("sticky", service(port, { sessionAffinity: "ClientIP" }, sticky)), podOne, podTwo);
  await create(named("walled", service(port, { loadBalancerSourceRanges: [`${block}.250/32`] }, walled)), podOne, podTwo);
  for (const at of [spread, sticky, walled]) while ((await ask(at, 8080)) === "ECONNREFUSED") await wayIn.settled();
  expect(await askTimes(4, spread, 8080)).toEqual([
    `${podOne} ${nodeOne}`,
    `${podOne} ${nodeOne}`,
    `${podTwo} ${nodeTwo}`,
    `${podTwo} ${nodeTwo}`,
  ]);
  const [a, b] = [await askTimes(3, sticky, 8080, `${block}.240`), await askTimes(3, sticky, 8080, `${block}.241`)];
  expect([new Set(a).size, new Set(b).size, new Set([...a, ...b]).size]).toEqual([1, 1, 2]);
  expect(await ask(walled, 8080)).toBe("ECONNRESET");
  expect(await ask(walled, 8080, `${block}.250`)).toContain(block);
});

test("datagrams: a session goes through the node's namespace and comes back", async (ctx: TestContext) => {
  if (loadLibc() === undefined) ctx.skip("needs FFI");
  const { context, create } = await cluster();
  const pod = createSocket("udp4", (message, from) => pod.send(`${String(message)} ${from.address}`, from.port, from.address));
  await new Promise<void>((ready) => pod.bind(0, podTwo, ready));
  closing.push(() => pod.close());
  const wayIn = await balancer(context);
  const ports = [{ port: 5353, protocol: "UDP", targetPort: pod.address().port }];
  await create(service(0, { ports }, `${block}.196`), podTwo);
  await wayIn.settled();
  const client = createSocket("udp4");
  closing.push(() => client.close());
  const answer = new Promise((resolve) => client.once("message", (message) => resolve(String(message))));
  // A datagram before the listener is up is lost, as datagrams are.
  const again = setInterval(() => client.send("hello", 5353, `${block}.196`), 20);
  closing.push(() => clearInterval(again));
  expect(await answer).toBe(`hello ${nodeTwo}`);
});
