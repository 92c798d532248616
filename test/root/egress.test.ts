/** The way out with real namespaces: a pod reaches servers of this machine and nothing that it should not. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { readdirSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest";
import { createNamespaces } from "../../src/host/namespaces/create-namespaces.ts";
import type { Namespaces, NodeNetwork, PodNetwork } from "../../src/host/namespaces/namespaces.ts";
import { realClock } from "../../src/lib/clock.ts";
import { errnoCode } from "../../src/lib/errors.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { MetricsRegistry } from "../../src/lib/metrics.ts";
import { createEgress, type Egress } from "../../src/net/egress/egress.ts";
import { createKernelNat } from "../../src/net/egress/kernel-nat.ts";

const clusterCIDRs = ["10.244.0.0/16", "10.96.0.0/12", "10.250.0.0/24", "fd00:10:244::/56", "fd00:10:96::/112", "fd00:10:250::/64"];

let unsupported = "";
let namespaces: Namespaces | undefined;
let node: NodeNetwork;
let pod: PodNetwork;
let egress: Egress | undefined;
const metrics = new MetricsRegistry();
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  if (process.getuid?.() !== 0) return void (unsupported = "needs root: makes network namespaces");
  namespaces = await createNamespaces();
  const two = namespaces.families.includes(6);
  node = await namespaces.createNode({ name: "node-1", index: 1, podCIDRs: ["10.244.1.0/24", ...(two ? ["fd00:10:244:1::/64"] : [])] });
  pod = await node.addPod({ id: "pod", addresses: ["10.244.1.2", ...(two ? ["fd00:10:244:1::2"] : [])] });
  egress = createEgress({
    fabric: namespaces.fabric,
    nat: await createKernelNat(namespaces.fabric),
    clusterCIDRs,
    clock: realClock,
    log: silentLogger,
    metrics,
    limits: { connectMs: 2000 },
  });
  await egress.start();
}, 120_000);

afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await egress?.stop();
  await namespaces?.stop();
}, 120_000);

function needs(ctx: TestContext): void {
  if (unsupported !== "") ctx.skip(unsupported);
}

async function serve(host: string, onConnection: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => void (socket.on("error", () => {}), onConnection(socket)));
  await new Promise<void>((ready, fail) => server.once("error", fail).listen(0, host, ready));
  closing.push(() => server.close());
  return (server.address() as { port: number }).port;
}

/** What the pod reads when it sends `text` and ends its side; an errno when it comes to nothing. */
async function ask(host: string, port: number, text = ""): Promise<string> {
  let socket: Socket;
  try {
    socket = await pod.connect({ host, port, timeoutMs: 20_000 });
  } catch (error) {
    return errnoCode(error) ?? String(error);
  }
  return await new Promise((resolve) => {
    let answer = "";
    socket.on("data", (chunk) => (answer += String(chunk)));
    socket.on("error", (error) => resolve(errnoCode(error) ?? ""));
    socket.on("close", (failed) => failed || resolve(answer));
    socket.end(text);
  });
}

/** Answers when its client has ended its side. */
function upperCase(socket: Socket): void {
  let text = "";
  socket.on("data", (chunk) => (text += String(chunk)));
  socket.on("end", () => socket.end(text.toUpperCase()));
}

/** An address of this machine that is not loopback's: for a pod one like any other out there. */
function outside(family: "IPv4" | "IPv6"): string | undefined {
  const all = Object.values(networkInterfaces()).flat();
  return all.find((address) => address?.internal === false && address.family === family && !address.address.startsWith("fe80"))?.address;
}

const families = [
  { family: "IPv4", host: "10.250.0.254", loopback: "127.0.0.1", any: "0.0.0.0" },
  { family: "IPv6", host: "fd00:10:250::fe", loopback: "::1", any: "::" },
] as const;

describe.each(families)("$family", { timeout: 120_000 }, ({ family, host, loopback, any }) => {
  const skipUnless = (ctx: TestContext) => {
    needs(ctx);
    if (namespaces?.families.includes(family === "IPv6" ? 6 : 4) !== true) ctx.skip(`needs ${family}`);
  };

  test("TCP: a server on the host's loopback, by the host's address; half-close passes through", async (ctx) => {
    skipUnless(ctx);
    const port = await serve(loopback, upperCase);
    expect(await ask(host, port, "hello")).toBe("HELLO");
  });

  test("TCP: a server on another address of this machine, by that address", async (ctx) => {
    skipUnless(ctx);
    const address = outside(family);
    if (address === undefined) return ctx.skip(`this machine has no ${family} address besides loopback`);
    const port = await serve(address, upperCase);
    expect(await ask(address, port, "hello")).toBe("HELLO");
    // Bound to that address, it is none of the loopback's.
    expect(await ask(host, port)).toBe("ECONNRESET");
  });

  test("TCP: nobody listens", async (ctx) => {
    skipUnless(ctx);
    const port = await serve(loopback, upperCase);
    await closing.pop()?.();
    expect(await ask(host, port)).toMatch(/ECONNRESET|ECONNREFUSED/);
  });

  test("TCP: 100 at once, each its own bytes", async (ctx) => {
    skipUnless(ctx);
    const port = await serve(loopback, upperCase);
    const texts = Array.from({ length: 100 }, (_, i) => `no-${i}`.repeat(1000));
    const answers = await Promise.all(texts.map((text) => ask(host, port, text)));
    expect(answers.every((answer, i) => answer === texts[i]?.toUpperCase())).toBe(true);
  });

  async function udpServer(name: string, at: string = loopback): Promise<number> {
    const type = family === "IPv6" ? "udp6" : "udp4";
    const socket = createSocket(type, (message, from) => socket.send(`${name} ${String(message)}`, from.port, from.address));
    await new Promise<void>((ready) => socket.bind(0, at, ready));
    closing.push(() => socket.close());
    return socket.address().port;
  }

  async function podSocket(): Promise<UdpSocket> {
    const { fd } = await pod.bindUdp(any, 0);
    const socket = createSocket(family === "IPv6" ? "udp6" : "udp4");
    await new Promise<void>((ready) => socket.bind({ fd }, ready));
    closing.push(() => socket.close());
    return socket;
  }

  /** Says from where the answer came as well. Datagrams may be lost: asked again until one comes. */
  async function exchange(client: UdpSocket, text: string, at: string, port: number): Promise<string> {
    const answer = new Promise<string>((resolve) => {
      const take = (message: Buffer, from: { address: string; port: number }) => {
        if (from.port !== port) return;
        client.off("message", take);
        resolve(`${String(message)} from ${from.address}`);
      };
      client.on("message", take);
    });
    const send = () => client.send(text, port, at);
    send();
    const again = setInterval(send, 500);
    return await answer.finally(() => clearInterval(again));
  }

  test("UDP: answers come from where the question went, several destinations from one port", async (ctx) => {
    skipUnless(ctx);
    const [a, b] = [await udpServer("a"), await udpServer("b")];
    const client = await podSocket();
    expect(await exchange(client, "1", host, a)).toBe(`a 1 from ${host}`);
    expect(await exchange(client, "2", host, b)).toBe(`b 2 from ${host}`);
    expect(await exchange(client, "3", host, a)).toBe(`a 3 from ${host}`);
    const other = await podSocket();
    expect(await exchange(other, "4", host, b)).toBe(`b 4 from ${host}`);
  });

  test("UDP: another address of this machine", async (ctx) => {
    skipUnless(ctx);
    const address = outside(family);
    if (address === undefined) return ctx.skip(`this machine has no ${family} address besides loopback`);
    const port = await udpServer("out", address);
    expect(await exchange(await podSocket(), "1", address, port)).toBe(`out 1 from ${address}`);
  });
});

const nowhere = ["169.254.169.254", "10.96.77.77", "10.244.200.1", "10.250.0.99"];
test.for(nowhere)("%s is nowhere, and that is said", { timeout: 120_000 }, async (address, ctx) => {
  needs(ctx);
  expect(await ask(address, 80)).toMatch(/EHOSTUNREACH|ENETUNREACH|ECONNREFUSED|EACCES/);
});

test("the node itself goes out as its pods do", { timeout: 120_000 }, async (ctx) => {
  needs(ctx);
  const port = await serve("127.0.0.1", upperCase);
  const socket = await node.connect({ host: "10.250.0.254", port });
  const answer = new Promise((resolve) => socket.once("data", (chunk) => resolve(String(chunk))));
  socket.end("node");
  expect(await answer).toBe("NODE");
});

test("30 MiB both ways with a slow reader arrive whole", { timeout: 240_000 }, async (ctx) => {
  needs(ctx);
  const size = 30 << 20;
  const port = await serve("127.0.0.1", (socket) => socket.pipe(socket));
  const socket = await pod.connect({ host: "10.250.0.254", port });
  let received = 0;
  let sum = 0;
  socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
    for (let i = 0; i < chunk.length; i += 4096) sum = (sum + (chunk[i] as number)) >>> 0;
    if (received % (1 << 20) < chunk.length) {
      socket.pause();
      setImmediate(() => socket.resume());
    }
  });
  const block = Buffer.alloc(1 << 16, 7);
  for (let sent = 0; sent < size; sent += block.length) {
    if (!socket.write(block)) await new Promise((drained) => socket.once("drain", drained));
  }
  socket.end();
  await new Promise((ended) => socket.once("close", ended));
  expect(received).toBe(size);
  expect(sum % 7).toBe(0);
});

test("connections that are over hold no descriptor", { timeout: 240_000 }, async (ctx) => {
  needs(ctx);
  const port = await serve("127.0.0.1", upperCase);
  const descriptors = () => readdirSync("/proc/self/fd").length;
  await ask("10.250.0.254", port);
  const before = descriptors();
  for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 50 }, () => ask("10.250.0.254", port, "x")));
  await ask("10.250.0.254", 1);
  // The last ones close in their own time.
  while (descriptors() > before) await new Promise((next) => setTimeout(next, 10));
});

test("what was carried is counted", (ctx) => {
  needs(ctx);
  expect(metrics.text()).toMatch(/fairlead_egress_flows_total\{protocol="tcp"\} \d\d\d/);
  expect(metrics.text()).toMatch(/fairlead_egress_connections_open 0/);
});
