import { createSocket } from "node:dgram";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { KubeObject } from "../api/object.ts";
import type { EndpointSlice, Service } from "../api/types.ts";
import type { EventHandlers, Informer, InformerFactory } from "../client/informer.ts";
import { FakeClock, realClock, type Clock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { bindProblem } from "./backends/userspace/listeners.ts";
import { loadLibc } from "../host/syscalls/libc.ts";
import { EventLoop } from "../net/epoll/event-loop.ts";
import { parseProxyHeader } from "../net/proxy-protocol.ts";
import { createProxy, type Proxy } from "./proxy.ts";
import { epollTransport, hostTransport, type Transport } from "./transport.ts";

/** Loopback addresses of this process alone, so that test runs may go on side by side; pods are in the upper half. */
const block = `127.${200 + ((process.pid >> 8) % 50)}.${process.pid & 255}`;
const vip = `${block}.1`;
const pods = [`${block}.129`, `${block}.130`, `${block}.131`, `${block}.132`, `${block}.133`] as const;
const podPort = 28_080;

/** An informer that the test feeds. */
class Feed<T extends KubeObject> {
  readonly handlers: EventHandlers<T>[] = [];
  readonly objects = new Map<string, T>();
  set(object: T): void {
    const key = object.metadata.name ?? "";
    const old = this.objects.get(key);
    this.objects.set(key, object);
    for (const handler of this.handlers) {
      if (old === undefined) handler.added?.(object, false);
      else handler.updated?.(object, old);
    }
  }
  delete(name: string): void {
    const old = this.objects.get(name);
    this.objects.delete(name);
    if (old !== undefined) for (const handler of this.handlers) handler.deleted?.(old);
  }
  informer(): Informer<T> {
    return {
      waitForSync: async () => {},
      addHandlers: (handlers: EventHandlers<T>) => {
        this.handlers.push(handlers);
        for (const object of this.objects.values()) handlers.added?.(object, true);
        return () => void this.handlers.splice(this.handlers.indexOf(handlers), 1);
      },
    } as unknown as Informer<T>;
  }
}

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

interface Event {
  readonly reason: string;
  readonly message: string;
}

/** The sockets that the tests of a group run on. */
let transport: Transport = hostTransport;

async function start(
  clock: Clock = realClock,
): Promise<{ proxy: Proxy; services: Feed<Service>; slices: Feed<EndpointSlice>; events: Event[]; metrics: MetricsRegistry }> {
  const services = new Feed<Service>();
  const slices = new Feed<EndpointSlice>();
  const events: Event[] = [];
  const metrics = new MetricsRegistry();
  const informers = {
    informer: ({ plural }: { plural: string }) => (plural === "services" ? services : slices).informer(),
  } as unknown as InformerFactory;
  const proxy = createProxy({
    informers,
    clock,
    transport,
    log: silentLogger,
    metrics,
    node: { name: "node", addresses: ["127.0.0.1"], nodePortAddresses: ["127.0.0.1"], clusterCIDRs: [`${block}.128/25`] },
    recorder: { event: (_object, _type, reason, message) => void events.push({ reason, message }) },
  });
  open.push({ close: () => proxy.stop() });
  await proxy.start();
  return { proxy, services, slices, events, metrics };
}

const service = (name: string, ip: string, port: number, spec: Partial<Service["spec"] & object> = {}): Service => ({
  metadata: { namespace: "default", name },
  spec: { type: "ClusterIP", clusterIP: ip, clusterIPs: [ip], ports: [{ port, protocol: "TCP" }], ...spec },
});

const slice = (
  name: string,
  endpoints: readonly (readonly [string, Partial<{ ready: boolean; serving: boolean; terminating: boolean }>?])[],
  port: number,
  protocol = "TCP",
): EndpointSlice => ({
  metadata: { namespace: "default", name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
  addressType: "IPv4",
  endpoints: endpoints.map(([ip, conditions = {}]) => ({ addresses: [ip], nodeName: "node", conditions: { ready: true, ...conditions } })),
  ports: [{ name: "", port, protocol }],
});

/** Says who it is and whom it sees, then closes. */
async function backend(host: string, port: number): Promise<Server> {
  const server = createServer((socket) => socket.end(`${host} ${socket.remoteAddress}`)).listen(port, host);
  open.push({ close: () => new Promise((done) => server.close(done)) });
  await new Promise((ready) => server.once("listening", ready));
  return server;
}

function ask(host: string, port: number, localAddress?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) });
    let text = "";
    socket.on("data", (data) => (text += String(data)));
    socket.on("error", reject);
    socket.on("end", () => resolve(text));
  });
}

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "answered",
    (error: NodeJS.ErrnoException) => error.code,
  );

/** Lets a proxy on a hand-moved clock finish what it has seen. */
async function settle(proxy: Proxy, clock: FakeClock): Promise<void> {
  const turn = () => new Promise((next) => setImmediate(next, "turn"));
  const settled = proxy.settled();
  while ((await Promise.race([settled, turn()])) === "turn") clock.advance(0);
}

const libc = loadLibc();
const groups = [["Node's sockets", undefined], ...(libc === undefined ? [] : [["an epoll loop", libc] as const])] as const;

if (libc === undefined) test("an epoll loop", (ctx) => ctx.skip("needs FFI (koffi)"));

describe.each(groups)("%s", (_, epoll) => {
  beforeEach(() => {
    if (epoll === undefined) return void (transport = hostTransport);
    const loop = new EventLoop(epoll, realClock, 1);
    loop.start();
    transport = epollTransport(loop);
  });

  test("connections go round robin to ready endpoints; a pod is seen by its own address", async () => {
    for (const pod of pods.slice(0, 3)) await backend(pod, podPort);
    const { proxy, services, slices } = await start();
    services.set(service("web", vip, 20_080));
    slices.set(
      slice(
        "web",
        pods.slice(0, 3).map((pod) => [pod] as const),
        podPort,
      ),
    );
    await proxy.settled();
    const answers: string[] = [];
    for (let i = 0; i < 6; i++) answers.push((await ask(vip, 20_080)).split(" ")[0] as string);
    expect(answers.slice(0, 3).sort()).toEqual(pods.slice(0, 3));
    expect(answers.slice(3)).toEqual(answers.slice(0, 3));
    expect((await ask(vip, 20_080, pods[4])).split(" ")[1]).toBe(pods[4]);
    expect((await ask(vip, 20_080)).split(" ")[1]).toBe("127.0.0.1");
  });

  test("no endpoint: the kernel refuses at once; the address opens with the first endpoint and closes with the last", async () => {
    await backend(pods[0], podPort);
    const { proxy, services, slices } = await start();
    services.set(service("web", vip, 20_081));
    await proxy.settled();
    expect(await code(ask(vip, 20_081))).toBe("ECONNREFUSED");
    slices.set(slice("web", [[pods[0]]], podPort));
    await proxy.settled();
    expect(await ask(vip, 20_081)).toContain(pods[0]);
    slices.set(slice("web", [[pods[0], { ready: false }]], podPort));
    await proxy.settled();
    expect(await code(ask(vip, 20_081))).toBe("ECONNREFUSED");
    expect(await proxy.dial({ ip: vip, port: 20_081, protocol: "TCP" })).toMatchObject({ kind: "refused", reason: "NoEndpoints" });
    slices.set(slice("web", [[pods[0]]], podPort));
    await proxy.settled();
    expect(await ask(vip, 20_081)).toContain(pods[0]);
    services.delete("web");
    await proxy.settled();
    expect(await code(ask(vip, 20_081))).toBe("ECONNREFUSED");
    expect(await proxy.dial({ ip: vip, port: 20_081, protocol: "TCP" })).toEqual({ kind: "unknown" });
  });

  test("an endpoint that refuses is passed over before the client notices", async () => {
    await backend(pods[1], podPort);
    const { proxy, services, slices, metrics } = await start();
    services.set(service("web", vip, 20_082));
    slices.set(slice("web", [[pods[0]], [pods[1]], [pods[2]]], podPort));
    await proxy.settled();
    for (let i = 0; i < 6; i++) expect(await ask(vip, 20_082)).toContain(pods[1]);
    expect(metrics.text()).toMatch(/fairlead_proxy_connect_retries_total [1-9]/);
    slices.set(slice("web", [[pods[0]], [pods[2]]], podPort));
    await proxy.settled();
    expect(await code(ask(vip, 20_082))).toBe("ECONNRESET");
    expect(await proxy.dial({ ip: vip, port: 20_082, protocol: "TCP" })).toMatchObject({ kind: "refused", reason: "AllEndpointsFailed" });
  });

  test("endpoints come and go under load: no connection fails, and open ones stay where they are", async () => {
    for (const pod of pods) await backend(pod, podPort);
    const { proxy, services, slices } = await start();
    services.set(service("web", vip, 20_083));
    const scale = async (count: number) => {
      slices.set(
        slice(
          "web",
          pods.map((pod, i) => [pod, i < count ? {} : { ready: false, serving: true, terminating: true }] as const),
          podPort,
        ),
      );
      await proxy.settled();
    };
    await scale(3);
    const seen = new Map<string, number>();
    const stop = new AbortController();
    const client = async () => {
      while (!stop.signal.aborted) {
        const pod = (await ask(vip, 20_083)).split(" ")[0] as string;
        seen.set(pod, (seen.get(pod) ?? 0) + 1);
      }
    };
    const clients = Promise.all(Array.from({ length: 16 }, client));
    const total = () => [...seen.values()].reduce((sum, count) => sum + count, 0);
    for (const count of [5, 1, 4, 2, 5, 1]) {
      const from = total();
      await scale(count);
      while (total() < from + 100) await new Promise((next) => setImmediate(next));
    }
    stop.abort();
    await clients;
    expect([...seen.keys()].sort()).toEqual(pods);
  });

  test("affinity: one client, one endpoint, until it leaves or the time is up", async () => {
    for (const pod of pods.slice(0, 3)) await backend(pod, podPort);
    const clock = new FakeClock();
    const { proxy, services, slices } = await start(clock);
    const settled = () => settle(proxy, clock);
    services.set(service("web", vip, 20_084, { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } }));
    slices.set(
      slice(
        "web",
        pods.slice(0, 3).map((pod) => [pod] as const),
        podPort,
      ),
    );
    await settled();
    const from = async (client: string) => (await ask(vip, 20_084, client)).split(" ")[0] as string;
    const first = await from(`${block}.200`);
    for (let i = 0; i < 4; i++) expect(await from(`${block}.200`)).toBe(first);
    expect(await from(`${block}.201`)).not.toBe(first);
    clock.advance(59_000);
    expect(await from(`${block}.200`)).toBe(first);
    clock.advance(59_000);
    expect(await from(`${block}.200`)).toBe(first);
    slices.set(
      slice(
        "web",
        pods
          .slice(0, 3)
          .filter((pod) => pod !== first)
          .map((pod) => [pod] as const),
        podPort,
      ),
    );
    await settled();
    const second = await from(`${block}.200`);
    expect(second).not.toBe(first);
    clock.advance(61_000);
    const later = new Set([await from(`${block}.200`), await from(`${block}.202`), await from(`${block}.203`)]);
    expect(later.size).toBe(2);
  });

  test("UDP: sessions keep their endpoint, and leave it when it goes", async () => {
    for (const pod of pods.slice(0, 2)) {
      const server = createSocket("udp4").bind(5353, pod);
      server.on("message", (message, from) => server.send(`${pod} ${String(message)} ${from.address}`, from.port, from.address));
      open.push({ close: () => server.close() });
      await new Promise((ready) => server.once("listening", ready));
    }
    const { proxy, services, slices } = await start();
    services.set(service("dns", vip, 20_085, { ports: [{ port: 20_085, protocol: "UDP" }] }));
    slices.set(slice("dns", [[pods[0]], [pods[1]]], 5353, "UDP"));
    await proxy.settled();
    const client = createSocket("udp4");
    client.bind(0, pods[4]);
    open.push({ close: () => client.close() });
    const query = (text: string) =>
      new Promise<string>((resolve) => {
        client.once("message", (reply) => resolve(String(reply)));
        client.send(text, 20_085, vip);
      });
    const first = await query("a");
    expect([`${pods[0]} a ${pods[4]}`, `${pods[1]} a ${pods[4]}`]).toContain(first);
    const pod = first.split(" ")[0] as string;
    expect((await query("b")).split(" ")[0]).toBe(pod);
    const other = pods[pod === pods[0] ? 1 : 0];
    slices.set(slice("dns", [[other]], 5353, "UDP"));
    await proxy.settled();
    expect((await query("c")).split(" ")[0]).toBe(other);
  });

  test("a port that cannot be bound: told by Event and status, reached by dial, and bound when it becomes free", async () => {
    await backend(pods[0], podPort);
    const squatter = createServer().listen(20_086, vip);
    await new Promise((ready) => squatter.once("listening", ready));
    const clock = new FakeClock();
    const { proxy, services, slices, events } = await start(clock);
    services.set(service("web", vip, 20_086));
    services.set(service("far", "169.169.0.10", 80));
    slices.set(slice("web", [[pods[0]]], podPort));
    slices.set(slice("far", [[pods[0]]], podPort));
    await settle(proxy, clock);
    expect(events.map(({ reason }) => reason)).toEqual(["AddressInUse"]);
    expect(events[0]?.message).toContain(`TCP ${vip}:20086 is not open: another program listens`);
    expect(
      proxy
        .status()
        .problems.map(({ service: name, reason }) => `${name} ${reason}`)
        .sort(),
    ).toEqual(["default/far AddressNotLocal", "default/web AddressInUse"]);
    for (const [ip, port] of [
      [vip, 20_086],
      ["169.169.0.10", 80],
    ] as const) {
      const dialled = await proxy.dial({ ip, port, protocol: "TCP", client: pods[4] });
      expect(dialled).toMatchObject({ kind: "connected", endpoint: `${pods[0]}:${podPort}` });
      const socket = (dialled as { socket: Socket }).socket;
      expect(await new Promise((resolve) => socket.once("data", (data) => resolve(String(data))))).toBe(`${pods[0]} ${pods[4]}`);
      socket.destroy();
    }
    await new Promise((done) => squatter.close(done));
    clock.advance(5000);
    await settle(proxy, clock);
    expect(await ask(vip, 20_086)).toContain(pods[0]);
    expect(events.length).toBe(1);
    expect(proxy.status().problems.length).toBe(1);
  });

  test("two Services with one address: the second waits for it", async () => {
    await backend(pods[0], podPort);
    await backend(pods[1], podPort);
    const { proxy, services, slices, events } = await start();
    services.set(service("one", `${block}.2`, 20_087, { externalIPs: [vip] }));
    slices.set(slice("one", [[pods[0]]], podPort));
    await proxy.settled();
    services.set(service("two", `${block}.3`, 20_087, { externalIPs: [vip] }));
    slices.set(slice("two", [[pods[1]]], podPort));
    await proxy.settled();
    expect(events.map(({ reason }) => reason)).toEqual(["AddressTaken"]);
    expect(await ask(vip, 20_087)).toContain(pods[0]);
    services.delete("one");
    await proxy.settled();
    expect(await ask(vip, 20_087)).toContain(pods[1]);
  });

  test.for([
    ["TCP", "EACCES", "PortNotPermitted", "ports below 1024 need root here. Pods reach it all the same through HTTP_PROXY"],
    ["UDP", "EACCES", "PortNotPermitted", "ports below 1024 need root here. From the host"],
    ["TCP", "EMFILE", "ListenFailed", "too many files"],
  ] as const)("what a person reads: %s %s", ([protocol, code, reason, text]) => {
    const verdict = { kind: "reject", reason: "NoEndpoints" } as const;
    const address = {
      kind: "clusterIP",
      address: vip,
      port: 80,
      family: 4,
      verdicts: { pod: verdict, node: verdict, external: verdict },
    } as const;
    const problem = bindProblem(protocol, address, { kind: "failed", code, message: "too many files" }, true);
    expect(problem).toMatchObject({ reason, severity: "warning" });
    expect(problem.message).toContain(text);
  });

  test("a Service that cannot be planned does not hold up another", async () => {
    await backend(pods[0], podPort);
    const { proxy, services, slices, events } = await start();
    services.set({ metadata: { namespace: "default", name: "broken" }, spec: { clusterIP: `${block}.9`, ports: 7 as never } });
    services.set(service("web", vip, 20_088));
    slices.set(slice("web", [[pods[0]]], podPort));
    await proxy.settled();
    expect(await ask(vip, 20_088)).toContain(pods[0]);
    expect(events.map(({ reason }) => reason)).toEqual(["FailedToSync"]);
  });

  test.for([
    ["v1", 1],
    ["v2", 2],
  ] as const)("PROXY protocol %s: the endpoint is told who connects, and to where", async ([version]) => {
    let first: (bytes: Buffer) => void = () => {};
    const told = new Promise<Buffer>((resolve) => (first = resolve));
    const server = createServer((socket) => socket.once("data", (bytes: Buffer) => (first(bytes), socket.end()))).listen(podPort, pods[0]);
    open.push({ close: () => new Promise((done) => server.close(done)) });
    await new Promise((ready) => server.once("listening", ready));
    const { proxy, services, slices } = await start();
    const web = service("web", vip, 20_091);
    services.set({ ...web, metadata: { ...web.metadata, annotations: { "fairlead.dev/proxy-protocol": version } } });
    slices.set(slice("web", [[pods[0]]], podPort));
    await proxy.settled();
    const socket = connect({ host: vip, port: 20_091, localAddress: pods[4] });
    open.push({ close: () => socket.destroy() });
    await new Promise((ready) => socket.once("connect", ready));
    const source = { address: pods[4], port: socket.localPort };
    expect(parseProxyHeader(await told)).toMatchObject({ kind: "header", source, destination: { address: vip, port: 20_091 } });
  });

  test("least-connections: whoever has an open connection gets no other while one is free", async () => {
    const sockets: Socket[] = [];
    for (const pod of pods.slice(0, 3)) {
      const server = createServer((socket) => void socket.write(pod)).listen(podPort, pod);
      open.push({ close: () => new Promise((done) => server.close(done)) });
      await new Promise((ready) => server.once("listening", ready));
    }
    const { proxy, services, slices } = await start();
    const web = service("web", vip, 20_092);
    services.set({ ...web, metadata: { ...web.metadata, annotations: { "fairlead.dev/load-balancing": "least-connections" } } });
    slices.set(slice("web", [[pods[0]], [pods[1]], [pods[2]]], podPort));
    await proxy.settled();
    const seen: string[] = [];
    for (let i = 0; i < 6; i++) {
      const socket = connect({ host: vip, port: 20_092 });
      sockets.push(socket);
      seen.push(String(await new Promise((resolve) => socket.once("data", resolve))));
    }
    open.push({ close: () => sockets.forEach((socket) => socket.destroy()) });
    expect(seen.slice(0, 3).toSorted()).toEqual(pods.slice(0, 3));
    expect(seen.slice(3).toSorted()).toEqual(pods.slice(0, 3));
  });

  test("an annotation that is not understood is told", async () => {
    const { proxy, services, events } = await start();
    const web = service("web", vip, 20_093);
    services.set({ ...web, metadata: { ...web.metadata, annotations: { "fairlead.dev/load-balancing": "fastest" } } });
    await proxy.settled();
    expect(events).toEqual([
      { reason: "TrafficNotSupported", message: expect.stringContaining('is "fastest"; known: round-robin') as string },
    ]);
  });
});
