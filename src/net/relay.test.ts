import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, test, type TestContext } from "vitest";
import { loadLibc } from "../host/syscalls/libc.ts";
import { realClock } from "../lib/clock.ts";
import { connectTcp } from "./connect.ts";
import { connectEpoll, listenEpoll } from "./epoll/epoll-transport.ts";
import { EventLoop } from "./epoll/event-loop.ts";
import { listenTcp, type TcpListener } from "./listener.ts";
import { relay, type RelayOptions } from "./relay.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function listen(onConnection: (socket: Socket) => void): Promise<TcpListener> {
  const listener = await listenTcp({ host: "127.0.0.1", port: 0, onConnection });
  if (listener.kind === "failed") throw new Error(listener.message);
  open.push(() => listener.close());
  return listener;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Opens a port whose connections are relayed to another. */
type Front = (target: Address, options: RelayOptions) => Promise<Address>;

const byNode: Front = (target, options) =>
  listen((socket) => {
    connectTcp({ ...target, timeoutMs: 1000 }, (result) => {
      if (!("failed" in result)) relay(socket, result, options);
    });
  });

/** In the thread of the test, so that Node's sockets of client and server take turns with it. */
const byEpoll: Front = async (target, options) => {
  const libc = loadLibc();
  if (libc === undefined) throw new Error("no FFI");
  const loop = new EventLoop(libc, realClock, 1);
  const front = listenEpoll(loop, {
    host: "127.0.0.1",
    port: 0,
    onConnection: (socket) =>
      connectEpoll(loop, { ...target, timeoutMs: 1000 }, (result) => {
        if (!("failed" in result)) relay(socket, result, options);
      }),
  });
  if (front.kind === "failed") throw new Error(front.message);
  loop.start();
  open.push(() => (front.close(), loop.stop()));
  return front;
};

function needs(front: Front, ctx: TestContext): void {
  if (front === byEpoll && loadLibc() === undefined) ctx.skip("needs FFI (koffi)");
}

/** A client and a server that a relay joins. The server's socket does not flow yet. */
async function joined(front: Front, options: RelayOptions = {}): Promise<{ client: Socket; server: Socket }> {
  let accept: (socket: Socket) => void = () => {};
  const accepted = new Promise<Socket>((resolve) => (accept = resolve));
  const { host, port } = await front(await listen(accept), options);
  const client = connect({ host, port, allowHalfOpen: true });
  const server = await accepted;
  open.push(
    () => client.destroy(),
    () => server.destroy(),
  );
  return { client, server };
}

const mebibyte = 1 << 20;

function send(socket: Socket, total: number): string {
  const sum = createHash("sha256");
  const chunks = Array.from({ length: total / mebibyte }, () => randomBytes(mebibyte));
  for (const chunk of chunks) sum.update(chunk);
  let next = 0;
  const more = () => {
    while (next < chunks.length) if (!socket.write(chunks[next++] as Buffer)) return void socket.once("drain", more);
    socket.end();
  };
  more();
  return sum.digest("hex");
}

/** `slow`: takes a pause after each 256 KiB, so that everything before it backs up. */
function receive(socket: Socket, slow: boolean): Promise<string> {
  const sum = createHash("sha256");
  let unpaused = 0;
  return new Promise((resolve, reject) => {
    socket.on("data", (chunk) => {
      sum.update(chunk);
      unpaused += chunk.length;
      if (!slow || unpaused < mebibyte / 4) return;
      unpaused = 0;
      socket.pause();
      setTimeout(() => socket.resume(), 1);
    });
    socket.on("end", () => resolve(sum.digest("hex")));
    socket.on("error", reject);
    socket.resume();
  });
}

describe.each([
  ["node:net", byNode],
  ["epoll", byEpoll],
] as const)("%s", (_, front) => {
  test("30 MiB of random bytes both ways at once, one reader slow, arrive whole", async () => {
    const { client, server } = await joined(front);
    const received = Promise.all([receive(client, false), receive(server, true)]);
    const [toServer, toClient] = [send(client, 30 * mebibyte), send(server, 30 * mebibyte)];
    expect(await received).toEqual([toClient, toServer]);
  }, 20_000);

  test("after an end one way, the other way still carries", async (ctx) => {
    needs(front, ctx);
    const { client, server } = await joined(front);
    client.end("question");
    let question = "";
    server.on("data", (data) => (question += String(data)));
    server.on("end", () => server.end(`answer to ${question}`));
    server.resume();
    let answer = "";
    client.on("data", (data) => (answer += String(data)));
    await new Promise((done) => client.once("end", done));
    expect(answer).toBe("answer to question");
  });

  test.for(["client", "server"] as const)("a reset by the %s resets the other", async (who, ctx) => {
    needs(front, ctx);
    let closed: () => void = () => {};
    const gone = new Promise<void>((resolve) => (closed = resolve));
    const both = await joined(front, { onClose: () => closed() });
    both.client.write("x");
    await new Promise((got) => (both.server.once("data", got), both.server.resume()));
    const [first, second] = who === "client" ? [both.client, both.server] : [both.server, both.client];
    const error = new Promise<NodeJS.ErrnoException>((resolve) => second.once("error", resolve));
    second.resume();
    first.resetAndDestroy();
    expect((await error).code).toBe("ECONNRESET");
    await gone;
  });
});
