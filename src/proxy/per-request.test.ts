/** Requests of one connection, each to an endpoint of its own: the userspace backend with the engine behind it, on both kinds of sockets. */
import { request as httpRequest, Agent, type IncomingMessage, type RequestListener } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { connect, type AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Service } from "../api/types.ts";
import { planService, sourceClassifier, trafficOf, type ServicePlan } from "../decide/proxy/index.ts";
import { openServicePool } from "../gateway/service-pool.ts";
import { collecting, httpEndpoint, Opened } from "../gateway/testing.ts";
import { loadLibc } from "../host/syscalls/libc.ts";
import { realClock } from "../lib/clock.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { EventLoop } from "../net/epoll/event-loop.ts";
import { UserspaceBackend } from "./backends/userspace/apply.ts";
import { proxyMetrics } from "./metrics.ts";
import { trafficProblems } from "./traffic-problems.ts";
import { epollTransport, hostTransport, type Transport } from "./transport.ts";

/** Loopback addresses of this process alone. */
const block = `127.${150 + ((process.pid >> 8) % 50)}.${process.pid & 255}`;
const vip = `${block}.1`;
const client = `${block}.200`;
const port = 21_080;
const node = { name: "node", addresses: ["127.0.0.1"], nodePortAddresses: [] };

const opened = new Opened();
afterEach(() => opened.closeAll());

interface Asked {
  readonly appProtocol?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: Partial<NonNullable<Service["spec"]>>;
}

/** The plan for endpoints at 127.0.0.1, each on a port of its own. */
function planned(ports: readonly number[], { appProtocol = "http", annotations = {}, spec = {} }: Asked = {}): ServicePlan {
  const service: Service = {
    metadata: { namespace: "shop", name: "web", annotations: { "fairlead.dev/per-request": "true", ...annotations } },
    spec: { clusterIP: vip, clusterIPs: [vip], ports: [{ port, protocol: "TCP", appProtocol }], ...spec },
  };
  const slices = ports.map((number) => ({
    metadata: { namespace: "shop", name: `web-${number}`, labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4" as const,
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
    ports: [{ name: "", port: number, protocol: "TCP" }],
  }));
  return planService(service, slices, node);
}

let transport: Transport = hostTransport;

function startBackend(): UserspaceBackend {
  const backend = new UserspaceBackend({
    clock: realClock,
    metrics: proxyMetrics(new MetricsRegistry()),
    classify: sourceClassifier(node),
    hostAddresses: [],
    transport,
    openHttpPool: openServicePool,
  });
  return opened.add(backend, () => backend.stop());
}

/** Says its name, and who asks. */
async function endpoint(name: string, listener?: RequestListener) {
  return await httpEndpoint(
    opened,
    listener ?? ((request, response) => void response.end(`${name} ${request.headers["x-forwarded-for"]}`)),
  );
}

interface Reply {
  readonly status: number | undefined;
  readonly text: string;
  /** The client's port: another one is another connection. */
  readonly from: number | undefined;
}

/** A client with one connection at a time. */
function keepAlive(localAddress = client): (headers?: Record<string, string>) => Promise<Reply> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  opened.add(agent, () => agent.destroy());
  return (headers = {}) =>
    new Promise((resolve, reject) => {
      const request = httpRequest({ host: vip, port, agent, localAddress, headers }, (response: IncomingMessage) => {
        const from = response.socket.localPort;
        let text = "";
        response.on("data", (bytes: Buffer) => (text += bytes.toString()));
        response.on("end", () => resolve({ status: response.statusCode, text, from }));
      });
      request.on("error", reject);
      request.end();
    });
}

async function times<T>(count: number, ask: () => Promise<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for (let i = 0; i < count; i++) all.push(await ask());
  return all;
}

const names = (replies: readonly Reply[]) => replies.map(({ text }) => text.split(" ")[0]);
const code = (promise: Promise<unknown>) => promise.then(String, (error: NodeJS.ErrnoException) => error.code);

const libc = loadLibc();
const groups = [["Node's sockets", undefined], ...(libc === undefined ? [] : [["an epoll loop", libc] as const])] as const;

if (libc === undefined) test("an epoll loop", (ctx) => ctx.skip("needs FFI (koffi)"));

describe.each(groups)("%s", { timeout: 60_000 }, (_, epoll) => {
  beforeEach(() => {
    if (epoll === undefined) return void (transport = hostTransport);
    const loop = new EventLoop(epoll, realClock, 1);
    loop.start();
    transport = epollTransport(loop);
  });

  test("requests of one connection alternate, say who asks, and follow each change of the endpoints", async () => {
    const [a, b] = [await endpoint("a"), await endpoint("b")];
    const backend = startBackend();
    expect(await backend.apply("shop/web", planned([a.port, b.port]))).toEqual([]);
    const ask = keepAlive();
    const first = await times(6, () => ask({ "x-forwarded-for": "6.6.6.6" }));
    expect([...new Set(names(first).slice(0, 2))].sort()).toEqual(["a", "b"]);
    expect(names(first).slice(2)).toEqual([...names(first).slice(0, 2), ...names(first).slice(0, 2)]);
    expect(new Set(first.map(({ text }) => text.split(" ")[1]))).toEqual(new Set([client]));

    await backend.apply("shop/web", planned([b.port]));
    a.server.closeAllConnections();
    const without = await times(3, ask);
    expect(names(without)).toEqual(["b", "b", "b"]);
    await backend.apply("shop/web", planned([a.port, b.port]));
    const again = await times(4, ask);
    expect(names(again).toSorted()).toEqual(["a", "a", "b", "b"]);
    expect(new Set([...first, ...without, ...again].map(({ from }) => from)).size).toBe(1);
  });

  test("an endpoint that dies while it is still listed costs nothing", async () => {
    const [a, b] = [await endpoint("a"), await endpoint("b")];
    const backend = startBackend();
    await backend.apply("shop/web", planned([a.port, b.port]));
    const ask = keepAlive();
    await times(2, ask);
    a.server.close();
    a.server.closeAllConnections();
    const after = await times(6, ask);
    expect(after.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(new Set(names(after))).toEqual(new Set(["b"]));
  });

  test("no endpoint: new connections are refused, requests on an open one get 503, and it goes on afterwards", async () => {
    const a = await endpoint("a");
    const backend = startBackend();
    await backend.apply("shop/web", planned([a.port]));
    const ask = keepAlive();
    const before = await ask();
    await backend.apply("shop/web", planned([]));
    expect(await code(keepAlive()())).toBe("ECONNREFUSED");
    expect((await ask()).status).toBe(503);
    await backend.apply("shop/web", planned([a.port]));
    expect(await ask()).toEqual(before);
  });

  test("affinity keeps a client's requests together, over all its connections", async () => {
    const [a, b] = [await endpoint("a"), await endpoint("b")];
    const backend = startBackend();
    const spec = { sessionAffinity: "ClientIP" as const, sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } };
    await backend.apply("shop/web", planned([a.port, b.port], { spec }));
    const replies = [...(await times(3, keepAlive())), ...(await times(3, keepAlive()))];
    expect(new Set(names(replies)).size).toBe(1);
    expect((await keepAlive(`${block}.201`)()).text).not.toContain(names(replies)[0] as string);
    const own = names(replies)[0] === "a" ? a : b;
    await backend.apply("shop/web", planned([own === a ? b.port : a.port], { spec }));
    expect((await keepAlive()()).text).not.toContain(names(replies)[0] as string);
  });

  test("least-connections counts requests under way", async () => {
    let release: () => void = () => undefined;
    const hold: RequestListener = (request, response) => {
      const say = () => void response.end(String(request.socket.localPort));
      if (request.headers["x-hold"] === undefined) say();
      else release = say;
    };
    const [a, b] = [await endpoint("a", hold), await endpoint("b", hold)];
    const backend = startBackend();
    await backend.apply("shop/web", planned([a.port, b.port], { annotations: { "fairlead.dev/load-balancing": "least-connections" } }));
    const arrived = new Promise<void>((resolve) => {
      for (const { server } of [a, b]) server.on("request", (request) => request.headers["x-hold"] !== undefined && resolve());
    });
    const held = keepAlive()({ "x-hold": "1" });
    await arrived;
    const others = await times(4, keepAlive());
    expect(new Set(others.map(({ text }) => text)).size).toBe(1);
    release();
    expect((await held).text).not.toBe(others[0]?.text);
  });

  test("h2c by prior knowledge: streams of one connection alternate, and pass over an endpoint that dies", async () => {
    const ports: number[] = [];
    const kill = new Map<string, () => void>();
    for (const name of ["a", "b"]) {
      const server = createHttp2Server((request, response) => void response.end(`${name} ${request.headers["x-forwarded-for"]}`));
      const sessions = new Set<{ destroy(): void }>();
      server.on("session", (session) => void sessions.add(session));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      kill.set(name, () => {
        server.close();
        for (const session of sessions) session.destroy();
      });
      opened.add(server, () => {
        for (const session of sessions) session.destroy();
        return new Promise((done) => server.close(done));
      });
      ports.push((server.address() as AddressInfo).port);
    }
    const backend = startBackend();
    await backend.apply("shop/web", planned(ports, { appProtocol: "kubernetes.io/h2c" }));
    const createConnection = () => connect({ host: vip, port, localAddress: client });
    const session = connectHttp2(`http://${vip}:${port}`, { createConnection });
    opened.add(session, () => session.destroy());
    const ask = () =>
      new Promise<string>((resolve, reject) => {
        const stream = session.request({ ":path": "/" });
        let text = "";
        stream.on("data", (bytes: Buffer) => (text += bytes.toString()));
        stream.on("error", reject);
        stream.on("end", () => resolve(text));
      });
    const replies = await times(4, ask);
    expect(replies.toSorted()).toEqual([`a ${client}`, `a ${client}`, `b ${client}`, `b ${client}`]);
    expect(replies[2]).toBe(replies[0]);
    expect(replies[1]).not.toBe(replies[0]);
    kill.get("a")?.();
    expect(await times(4, ask)).toEqual(Array.from({ length: 4 }, () => `b ${client}`));
  });

  test("WebSockets pass, each to one endpoint, and outlive the Service", async () => {
    const a = await endpoint("a");
    a.server.on("upgrade", (request, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
      socket.on("end", () => socket.end());
      socket.on("data", (bytes) => socket.write(`${request.headers["x-forwarded-for"]} says ${bytes}`));
    });
    const backend = startBackend();
    await backend.apply("shop/web", planned([a.port], { appProtocol: "kubernetes.io/ws" }));
    const raw = connect({ host: vip, port, localAddress: client });
    opened.add(raw, () => raw.destroy());
    const socket = collecting(raw);
    socket.send("GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    await socket.until((text) => text.includes("101") && text.endsWith("\r\n\r\n"));
    await backend.apply("shop/web", undefined);
    socket.send("hello");
    expect(await socket.until((text) => text.endsWith("hello"))).toContain(`${client} says hello`);
  });

  test("idle connections end when the Service goes, and when another proxy takes over", async () => {
    const a = await endpoint("a");
    const backend = startBackend();
    const connected = async () => {
      await backend.apply("shop/web", planned([a.port]));
      const raw = connect({ host: vip, port, localAddress: client });
      opened.add(raw, () => raw.destroy());
      const socket = collecting(raw);
      socket.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n");
      await socket.until((text) => text.endsWith(client));
      return socket;
    };
    const first = await connected();
    await backend.apply("shop/web", undefined);
    await first.closed();
    const second = await connected();
    await Promise.all([second.closed(), backend.handOver().given()]);
  });

  test("without the annotation, or where the port speaks something else, a connection has one endpoint", async () => {
    const [a, b] = [await endpoint("a"), await endpoint("b")];
    const backend = startBackend();
    for (const asked of [{ annotations: { "fairlead.dev/per-request": "false" } }, { appProtocol: "redis" }]) {
      await backend.apply("shop/web", planned([a.port, b.port], asked));
      const replies = await times(4, keepAlive());
      expect(new Set(names(replies)).size).toBe(1);
      expect(replies[0]?.text).toContain("undefined");
    }
  });
});

test("what is asked for and cannot be had is told", () => {
  const userspace = { mode: "userspace", balancesRequests: true };
  const told = (asked: Asked, carried = userspace) => trafficProblems(planned([], asked), carried).map(({ message }) => message);
  expect(told({})).toEqual([]);
  expect(told({ appProtocol: "kubernetes.io/ws" })).toEqual([]);
  expect(told({}, { mode: "userspace", balancesRequests: false })).toEqual([expect.stringContaining("no effect in this proxy")]);
  expect(told({}, { mode: "nftables", balancesRequests: true })).toEqual([expect.stringContaining("this is nftables")]);
  expect(told({ appProtocol: "https" })).toEqual([expect.stringContaining("no port has appProtocol")]);
  expect(told({ annotations: { "fairlead.dev/proxy-protocol": "v2" } })).toEqual([expect.stringContaining("X-Forwarded-For names them")]);
  expect(trafficOf({ "fairlead.dev/per-request": "yes" })).toMatchObject({
    misunderstood: ['fairlead.dev/per-request is "yes"; known: true, false'],
  });
});
