import { createSocket } from "node:dgram";
import { connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { FakeClock } from "../lib/clock.ts";
import { connectTcp, type ConnectResult } from "./connect.ts";
import { bindUdp, listenTcp } from "./listener.ts";
import { UdpRelay } from "./udp-relay.ts";

describe("listener", () => {
  const nothing = () => {};

  test("what cannot be bound is a value", async () => {
    const first = await listenTcp({ host: "127.203.0.1", port: 0, onConnection: nothing });
    if (first.kind === "failed") throw new Error(first.message);
    expect(await listenTcp({ host: "127.203.0.1", port: first.port, onConnection: nothing })).toMatchObject({
      kind: "failed",
      code: "EADDRINUSE",
    });
    // 192.0.2.0/24 is for documentation (RFC 5737): no host has it.
    expect(await listenTcp({ host: "192.0.2.1", port: 0, onConnection: nothing })).toMatchObject({ kind: "failed", code: "EADDRNOTAVAIL" });
    expect(await bindUdp({ host: "192.0.2.1", port: 0, onMessage: nothing })).toMatchObject({ kind: "failed", code: "EADDRNOTAVAIL" });
    await first.close();
  });

  test("a closed address is refused and free at once, while its connections stay", async () => {
    const taken: Socket[] = [];
    const first = await listenTcp({
      host: "127.203.0.1",
      port: 0,
      onConnection: (socket) => void (taken.push(socket), socket.resume().on("end", () => socket.end())),
    });
    if (first.kind === "failed") throw new Error(first.message);
    const client = connect(first.port, first.host);
    await new Promise((done) => client.once("connect", done));
    while (taken.length === 0) await new Promise((next) => setImmediate(next));
    await first.close();
    const code = await new Promise((resolve) =>
      connect(first.port, first.host).once("error", (error: NodeJS.ErrnoException) => resolve(error.code)),
    );
    expect(code).toBe("ECONNREFUSED");
    const again = await listenTcp({ host: first.host, port: first.port, onConnection: nothing });
    expect(again.kind).toBe("ok");
    if (again.kind === "ok") await again.close();
    expect(client.destroyed).toBe(false);
    client.end();
    await new Promise((done) => client.once("close", done));
  });
});

describe("connectTcp", () => {
  const dial = (options: Parameters<typeof connectTcp>[0]) => new Promise<ConnectResult>((resolve) => connectTcp(options, resolve));

  test("failures are values; a source address that cannot be had costs only the address", async () => {
    const listener = await listenTcp({
      host: "127.203.0.2",
      port: 0,
      onConnection: (socket) => void socket.end(String(socket.remoteAddress)),
    });
    if (listener.kind === "failed") throw new Error(listener.message);
    const from = async (localAddress: string) => {
      const result = await dial({ host: listener.host, port: listener.port, timeoutMs: 1000, localAddress });
      if ("failed" in result) return result.failed;
      const text = await new Promise((resolve) => result.once("data", (data) => resolve(String(data))));
      result.destroy();
      return text;
    };
    expect(await from("127.203.0.77")).toBe("127.203.0.77");
    expect(await from("192.0.2.1")).toBe("127.0.0.1");
    await listener.close();
    expect(await dial({ host: listener.host, port: listener.port, timeoutMs: 1000 })).toEqual({ failed: "ECONNREFUSED" });
  });
});

describe("UdpRelay", () => {
  test("sessions expire when idle, are bounded, and end when nobody listens", async () => {
    const clock = new FakeClock();
    const target = await bindUdp({
      host: "127.203.0.3",
      port: 0,
      onMessage: (message, from) => target.kind === "ok" && target.socket.send(`${String(message)}!`, from.port, from.address),
    });
    const listener = await bindUdp({ host: "127.203.0.3", port: 0, onMessage: (message, from) => relay?.receive(message, from) });
    if (target.kind === "failed" || listener.kind === "failed") throw new Error("no sockets");
    let port = target.port;
    const relay: UdpRelay = new UdpRelay({
      listener: listener.socket,
      choose: () => ({ ip: target.host, port }),
      clock,
      idleMs: 1000,
      maxSessions: 2,
    });
    const clients = Array.from({ length: 3 }, () => createSocket("udp4"));
    const ask = (client: (typeof clients)[number]) =>
      new Promise<string>((resolve) => {
        client.once("message", (reply) => resolve(String(reply)));
        client.send("hi", listener.port, listener.host);
      });
    for (const client of clients) expect(await ask(client)).toBe("hi!");
    expect(relay.sessions).toBe(2);
    clock.advance(999);
    expect(await ask(clients[2] as never)).toBe("hi!");
    clock.advance(1);
    expect(relay.sessions).toBe(1);
    clock.advance(1000);
    expect(relay.sessions).toBe(0);
    expect(clock.pending).toBe(0);
    port = 1;
    clients[0]?.send("hi", listener.port, listener.host);
    while (relay.sessions === 0) await new Promise((next) => setImmediate(next));
    while (relay.sessions === 1) await new Promise((next) => setImmediate(next));
    relay.close();
    for (const client of clients) client.close();
    await Promise.all([target.close(), listener.close()]);
  });

  test("a socket that somebody else opens: datagrams wait for it, and a failure is tried again with the next", async () => {
    const target = await bindUdp({
      host: "127.203.0.4",
      port: 0,
      onMessage: (message, from) => target.kind === "ok" && target.socket.send(`${String(message)}!`, from.port, from.address),
    });
    const listener = await bindUdp({ host: "127.203.0.4", port: 0, onMessage: (message, from) => relay.receive(message, from) });
    if (target.kind === "failed" || listener.kind === "failed") throw new Error("no sockets");
    const ports: number[] = [];
    const outcomes = [async () => undefined, async () => Promise.reject(new Error("EMFILE")), async () => createSocket("udp4")];
    const relay: UdpRelay = new UdpRelay({
      listener: listener.socket,
      clock: new FakeClock(),
      idleMs: 1000,
      choose: (_, port) => {
        ports.push(port);
        return { ip: target.host, port: target.port, open: outcomes.shift() as never };
      },
    });
    const client = createSocket("udp4");
    await new Promise<void>((ready) => client.bind(0, "127.203.0.4", ready));
    const heard: string[] = [];
    client.on("message", (message) => heard.push(String(message)));
    const say = async (text: string) => {
      const before = ports.length;
      client.send(text, listener.port, listener.host);
      while (ports.length === before) await new Promise((next) => setImmediate(next));
      await new Promise((next) => setImmediate(next));
    };
    await say("lost");
    expect(relay.sessions).toBe(0);
    await say("lost too");
    expect(relay.sessions).toBe(0);
    await say("kept");
    while (heard.length === 0) await new Promise((next) => setImmediate(next));
    expect([heard, new Set(ports)]).toEqual([["kept!"], new Set([client.address().port])]);
    relay.close();
    client.close();
    await Promise.all([target.close(), listener.close()]);
  });
});
