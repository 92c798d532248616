/** The listeners and relays, with sockets in this host's own network and a NAT that a test commands. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test, type TestContext } from "vitest";
import { SOCK_DGRAM, SOCK_STREAM } from "../../host/syscalls/constants.ts";
import { loadLibc, type Libc } from "../../host/syscalls/libc.ts";
import { decodeSocketAddress, encodeSocketAddress } from "../../host/syscalls/socket-address.ts";
import { realClock } from "../../lib/clock.ts";
import { silentLogger } from "../../lib/log.ts";
import { MetricsRegistry } from "../../lib/metrics.ts";
import { createEgress, type EgressLimits } from "./egress.ts";
import type { EgressNat, Endpoint, ListenerPair } from "./nat.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A socket as the namespaces thread would hand it over. */
function descriptor(libc: Libc, type: number, address: string): { fd: number; port: number } {
  const fd = libc.socket(2, type, 0);
  libc.bind(fd, encodeSocketAddress(address, 0));
  if (type === SOCK_STREAM) libc.listen(fd, 64);
  return { fd, port: decodeSocketAddress(libc.getsockname(fd))?.port ?? 0 };
}

interface Rig {
  /** What the kernel would say about every flow. */
  original: Endpoint | undefined;
  readonly tcp: Endpoint;
  readonly udp: Endpoint;
  readonly metrics: MetricsRegistry;
}

async function start(ctx: TestContext, limits: Partial<EgressLimits> = {}): Promise<Rig> {
  const libc = loadLibc();
  if (libc === undefined) return ctx.skip("needs FFI");
  const address = "127.204.0.254";
  let pairs: { tcp: ListenerPair; udp: ListenerPair } = { tcp: {}, udp: {} };
  const metrics = new MetricsRegistry();
  const rig: { original: Endpoint | undefined } = { original: undefined };
  const nat: EgressNat = {
    redirect: async (listeners) => void (pairs = listeners),
    tcpDestination: () => rig.original,
    udpDestination: () => rig.original,
    close: () => {},
  };
  const fabric = {
    addresses: [address],
    systemAddresses: [],
    listen: async (at: string) => descriptor(libc, SOCK_STREAM, at),
    bindUdp: async (at: string) => descriptor(libc, SOCK_DGRAM, at),
    sysctl: async () => {},
  };
  const egress = createEgress({ fabric, nat, clusterCIDRs: [], clock: realClock, log: silentLogger, metrics, limits });
  await egress.start();
  expect(egress.ready()).toEqual({ ready: true });
  closing.push(() => egress.stop());
  return Object.assign(rig, { tcp: pairs.tcp[4] as Endpoint, udp: pairs.udp[4] as Endpoint, metrics });
}

async function serve(onConnection: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, onConnection);
  server.listen(0, "127.0.0.1");
  await new Promise((ready) => server.once("listening", ready));
  closing.push(() => server.close());
  return (server.address() as { port: number }).port;
}

/** As the pod's address for the host: the only way to a server on loopback. */
const host = (port: number): Endpoint => ({ address: "127.204.0.254", port });

function ask(port: number, send = ""): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.204.0.254", port, allowHalfOpen: true });
    let text = "";
    socket.on("data", (chunk) => (text += String(chunk)));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    socket.on("close", (failed) => failed || resolve(text));
    socket.end(send);
  });
}

test("a connection goes where it was going, half-close included", async (ctx) => {
  const rig = await start(ctx);
  const port = await serve((socket) => {
    let text = "";
    socket.on("data", (chunk) => (text += String(chunk)));
    // Answers only after the pod has ended its side.
    socket.on("end", () => socket.end(text.toUpperCase()));
  });
  rig.original = host(port);
  expect(await ask(rig.tcp.port, "hello")).toBe("HELLO");
  const all = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(rig.tcp.port, `no-${i}`)));
  expect(all).toEqual(Array.from({ length: 100 }, (_, i) => `NO-${i}`));
  expect(rig.metrics.text()).toMatch(/fairlead_egress_flows_total\{protocol="tcp"\} 101/);
  expect(rig.metrics.text()).toMatch(/fairlead_egress_connections_open 0/);
});

test("a refusal, a forbidden destination and no destination are resets", async (ctx) => {
  const rig = await start(ctx);
  const port = await serve(() => {});
  await closing.pop()?.();
  rig.original = host(port);
  expect(await ask(rig.tcp.port)).toBe("ECONNRESET");
  rig.original = { address: "127.0.0.1", port };
  expect(await ask(rig.tcp.port)).toBe("ECONNRESET");
  rig.original = undefined;
  expect(await ask(rig.tcp.port)).toBe("ECONNRESET");
  expect(rig.metrics.text()).toMatch(/refused_total\{reason="ECONNREFUSED"\} 1\n/);
  expect(rig.metrics.text()).toMatch(/refused_total\{reason="NotRoutable"\} 1\n/);
  expect(rig.metrics.text()).toMatch(/refused_total\{reason="NoDestination"\} 1\n/);
});

test("beyond the limit new connections are reset; those before stay", async (ctx) => {
  const rig = await start(ctx, { maxConnections: 2 });
  const port = await serve((socket) => socket.pipe(socket));
  rig.original = host(port);
  const held = await Promise.all([1, 2].map(() => echo(rig.tcp.port)));
  expect(await ask(rig.tcp.port)).toBe("ECONNRESET");
  for (const socket of held) expect(await say(socket, "still")).toBe("still");
  held[0]?.destroy();
  await new Promise<void>((resolve) => {
    const again = async () => ((await ask(rig.tcp.port, "x")) === "x" ? resolve() : setImmediate(again));
    void again();
  });
  held[1]?.destroy();
});

function say(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  return new Promise((resolve) => socket.once("data", (chunk) => resolve(String(chunk))));
}

async function echo(port: number): Promise<Socket> {
  const socket = connect(port, "127.204.0.254");
  expect(await say(socket, "first")).toBe("first");
  return socket;
}

test("datagrams go where they were going, and answers come back from there", async (ctx) => {
  const rig = await start(ctx);
  const servers = await Promise.all(
    ["a", "b"].map(async (name) => {
      const socket = createSocket("udp4", (message, from) => socket.send(`${name} ${String(message)}`, from.port, from.address));
      socket.bind(0, "127.0.0.1");
      await new Promise((ready) => socket.once("listening", ready));
      closing.push(() => socket.close());
      return socket.address().port;
    }),
  );
  const exchange = (client: UdpSocket, text: string) =>
    new Promise<string>((resolve) => {
      client.once("message", (message) => resolve(String(message)));
      client.send(text, rig.udp.port, rig.udp.address);
    });
  const [first, second] = [createSocket("udp4"), createSocket("udp4")];
  closing.push(() => (first.close(), second.close()));
  rig.original = host(servers[0] as number);
  expect(await exchange(first, "1")).toBe("a 1");
  rig.original = host(servers[1] as number);
  expect(await exchange(second, "2")).toBe("b 2");
  // A session keeps the destination that it began with.
  expect(await exchange(first, "3")).toBe("a 3");
  expect(rig.metrics.text()).toMatch(/flows_total\{protocol="udp"\} 2\n/);
});

test("a start that fails leaves nothing behind", async (ctx) => {
  const libc = loadLibc();
  if (libc === undefined) return ctx.skip("needs FFI");
  let port = 0;
  let closed = 0;
  const egress = createEgress({
    fabric: {
      addresses: ["127.204.0.253"],
      systemAddresses: [],
      listen: async (at) => {
        const made = descriptor(libc, SOCK_STREAM, at);
        port = made.port;
        return made;
      },
      bindUdp: async (at) => descriptor(libc, SOCK_DGRAM, at),
      sysctl: async () => Promise.reject(new Error("EROFS")),
    },
    nat: {
      redirect: async () => Promise.reject(new Error("no nftables")),
      tcpDestination: () => undefined,
      udpDestination: () => undefined,
      close: () => void closed++,
    },
    clusterCIDRs: [],
    clock: realClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
  });
  await expect(egress.start()).rejects.toThrow("no nftables");
  expect(egress.ready().ready).toBe(false);
  expect(closed).toBe(1);
  const code = await new Promise((resolve) =>
    connect(port, "127.204.0.253").once("error", (error: NodeJS.ErrnoException) => resolve(error.code)),
  );
  expect(code).toBe("ECONNREFUSED");
});
