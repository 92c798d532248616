import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { afterEach, expect, test } from "vitest";
import { loadLibc } from "../../host/syscalls/libc.ts";
import { realClock } from "../../lib/clock.ts";
import { UdpRelay } from "../udp-relay.ts";
import { bindEpollUdp, EpollPeerSocket } from "./epoll-datagrams.ts";
import { EventLoop } from "./event-loop.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function socket(onMessage: (message: Buffer, from: { port: number; address: string }, self: Socket) => void): Promise<Socket> {
  const made = createSocket("udp4");
  made.on("message", (message, from) => onMessage(message, from, made));
  await new Promise<void>((ready) => made.bind(0, "127.0.0.1", ready));
  open.push(() => made.close());
  return made;
}

test("datagrams of every size go through a relay and back, many clients at once", async (ctx) => {
  const libc = loadLibc();
  if (libc === undefined) return ctx.skip("needs FFI (koffi)");
  const loop = new EventLoop(libc, realClock, 1);
  loop.start();
  open.push(() => loop.stop());
  const endpoint = await socket((message, from, self) => self.send(message, from.port, from.address));
  const listener = bindEpollUdp(loop, { host: "127.0.0.1", port: 0, onMessage: (message, from) => relay.receive(message, from) });
  if (listener.kind === "failed") throw new Error(listener.message);
  open.push(() => listener.close());
  const relay = new UdpRelay({
    listener: listener.socket,
    clock: realClock,
    idleMs: 60_000,
    choose: () => ({ ip: "127.0.0.1", port: endpoint.address().port, open: async () => new EpollPeerSocket(loop, 4) }),
  });
  open.push(() => relay.close());
  const exchange = async (sizes: readonly number[]) => {
    let heard: (message: Buffer) => void = () => {};
    const client = await socket((message) => heard(message));
    for (const size of sizes) {
      const sent = randomBytes(size);
      const answer = new Promise<Buffer>((resolve) => (heard = resolve));
      client.send(sent, listener.port, "127.0.0.1");
      expect((await answer).equals(sent)).toBe(true);
    }
  };
  await exchange([0, 1, 1400, 9000, 60_000, 65_507]);
  // Small ones: what the kernel's buffers have no room for is lost, as datagrams are.
  await Promise.all(Array.from({ length: 40 }, (_, i) => exchange([1, i, 600])));
  expect(relay.sessions).toBe(41);
});

test("a peer that does not listen is told by an error; what cannot be bound is a value", async (ctx) => {
  const libc = loadLibc();
  if (libc === undefined) return ctx.skip("needs FFI (koffi)");
  const loop = new EventLoop(libc, realClock, 1);
  loop.start();
  open.push(() => loop.stop());
  const gone = await socket(() => {});
  const { port } = gone.address();
  expect(bindEpollUdp(loop, { host: "127.0.0.1", port, onMessage: () => {} })).toMatchObject({ kind: "failed", code: "EADDRINUSE" });
  open.pop()?.();
  const peer = new EpollPeerSocket(loop, 4);
  open.push(() => peer.close());
  const error = new Promise<NodeJS.ErrnoException>((resolve) => peer.once("error", resolve));
  peer.connect(port, "127.0.0.1");
  peer.send(Buffer.from("x"));
  expect((await error).code).toBe("ECONNREFUSED");
});
