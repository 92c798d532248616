import { closeSync, readSync, writeSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test, type TestContext } from "vitest";
import { formatIp } from "../../lib/ip.ts";
import * as c from "./constants.ts";
import { bytesOfIp, ipFromBytes } from "./ip-bytes.ts";
import { loadLibc, type Libc } from "./libc.ts";
import { openPty, setWindowSize } from "./pty.ts";
import { decodeSocketAddress, encodeSocketAddress } from "./socket-address.ts";
import { errorName, SystemError } from "./system-error.ts";

const v4 = fc.bigInt(0n, (1n << 32n) - 1n).map((value) => formatIp({ family: 4, value }));
const v6 = fc.bigInt(0n, (1n << 128n) - 1n).map((value) => formatIp({ family: 6, value }));

describe("addresses as bytes", () => {
  test("there and back", () => {
    fc.assert(
      fc.property(fc.oneof(v4, v6), fc.integer({ min: 0, max: 65_535 }), (address, port) => {
        expect(ipFromBytes(bytesOfIp(address))).toBe(address);
        const family = address.includes(":") ? 6 : 4;
        expect(decodeSocketAddress(encodeSocketAddress(address, port))).toEqual({ family, address, port });
      }),
    );
  });

  test("sockaddr_in and sockaddr_in6, byte for byte", () => {
    expect(Buffer.from(encodeSocketAddress("10.0.0.1", 8080)).toString("hex")).toBe("02001f900a0000010000000000000000");
    expect(Buffer.from(encodeSocketAddress("fd00::1", 53)).toString("hex")).toBe(
      `0a00003500000000fd0000000000000000000000000000010000${"0000"}`,
    );
  });

  test.each([["no"], ["10.0.0"], ["10.0.0.1:80"], [""]])("%j is refused", (text) => {
    expect(() => encodeSocketAddress(text, 1)).toThrow(TypeError);
  });

  test.each([[-1], [65_536], [1.5], [Number.NaN]])("port %d is refused", (port) => {
    expect(() => encodeSocketAddress("10.0.0.1", port)).toThrow(RangeError);
  });

  test("bytes of another family, or too few, are nothing", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void decodeSocketAddress(bytes)));
    expect(decodeSocketAddress(Uint8Array.of(2, 0, 0, 80, 10))).toBeUndefined();
    expect(decodeSocketAddress(new Uint8Array(16))).toBeUndefined();
  });
});

test("an error has the shape of Node's own", () => {
  const error = new SystemError("connect", 111, "10.0.0.1:80");
  expect(error).toMatchObject({ code: "ECONNREFUSED", errno: -111, syscall: "connect", message: "connect ECONNREFUSED 10.0.0.1:80" });
  expect([errorName(11), errorName(4095)]).toEqual(["EAGAIN", "E4095"]);
});

describe("libc", () => {
  const withLibc = (ctx: TestContext): Libc => loadLibc() ?? ctx.skip("needs FFI: Linux on x64 or arm64 with the package koffi");

  test("a pipe carries bytes; reading nothing is a value, not an error", (ctx) => {
    const libc = withLibc(ctx);
    const [one, other] = libc.socketpair(c.SOCK_STREAM | c.SOCK_NONBLOCK);
    const into = new Uint8Array(8);
    expect(libc.recv(one, into, 0)).toBe(-c.EAGAIN);
    expect(libc.send(other, Buffer.from("hello"), 0)).toBe(5);
    expect(libc.recv(one, into, 0)).toBe(5);
    expect(Buffer.from(into.subarray(0, 5)).toString()).toBe("hello");
    libc.close(one);
    expect(libc.send(other, into, c.MSG_NOSIGNAL)).toBe(-32);
    libc.close(other);
    expect(() => libc.close(other)).toThrow(expect.objectContaining({ code: "EBADF" }) as Error);
  });

  test("a socket is bound, listens, is connected to and tells its addresses", (ctx) => {
    const libc = withLibc(ctx);
    const server = libc.socket(c.AF_INET, c.SOCK_STREAM | c.SOCK_NONBLOCK, 0);
    libc.bind(server, encodeSocketAddress("127.0.0.1", 0));
    libc.listen(server, 5);
    const name = libc.getsockname(server);
    const client = libc.socket(c.AF_INET, c.SOCK_STREAM, 0);
    expect(libc.accept4(server, null, 0)).toBe(-c.EAGAIN);
    expect(libc.connect(client, name)).toBe(0);
    const peer = new Uint8Array(28);
    const accepted = libc.accept4(server, peer, c.SOCK_NONBLOCK);
    expect(decodeSocketAddress(peer)).toEqual(decodeSocketAddress(libc.getsockname(client)));
    expect(Buffer.from(libc.getsockopt(accepted, c.SOL_SOCKET, c.SO_ERROR, new Uint8Array(4))).readInt32LE()).toBe(0);
    for (const fd of [accepted, client, server]) libc.close(fd);
  });

  test("epoll tells what an eventfd has", (ctx) => {
    const libc = withLibc(ctx);
    const [epoll, event] = [libc.epollCreate(), libc.eventfd(0, c.O_NONBLOCK)];
    const description = new Uint8Array(libc.epollEvent.bytes);
    const view = new DataView(description.buffer);
    view.setUint32(0, c.EPOLLIN, true);
    view.setInt32(libc.epollEvent.dataOffset, 4711, true);
    libc.epollControl(epoll, c.EPOLL_CTL_ADD, event, description);
    const events = new Uint8Array(4 * libc.epollEvent.bytes);
    expect(libc.epollWait(epoll, events, 0)).toBe(0);
    writeSync(event, Buffer.from(BigUint64Array.of(1n).buffer));
    expect(libc.epollWait(epoll, events, 1000)).toBe(1);
    expect(new DataView(events.buffer).getInt32(libc.epollEvent.dataOffset, true)).toBe(4711);
    for (const fd of [epoll, event]) libc.close(fd);
  });

  test("a structure that is too short never reaches C", (ctx) => {
    const libc = withLibc(ctx);
    expect(() => libc.epollControl(-1, c.EPOLL_CTL_ADD, -1, new Uint8Array(4))).toThrow(RangeError);
    expect(() => libc.recvmmsg(-1, new Uint8Array(64), 2, 0)).toThrow(RangeError);
    expect(() => libc.sendmmsg(-1, new Uint8Array(63), 1, 0)).toThrow(RangeError);
  });

  test("text that C would cut is refused", (ctx) => {
    const libc = withLibc(ctx);
    expect(() => libc.mount(null, "/tmp\0/../etc", null, c.MS_BIND)).toThrow("NUL");
    expect(() => libc.umount2("/a\0b", 0)).toThrow("NUL");
    expect(() => libc.pivotRoot(".", "a\0")).toThrow("NUL");
    expect(() => libc.sethostname("a\0b")).toThrow("NUL");
  });

  test("a terminal has a size and two ends", (ctx) => {
    const libc = withLibc(ctx);
    const { master, slave } = openPty(libc);
    setWindowSize(libc, master, 132, 43);
    writeSync(slave, "out\n");
    const into = Buffer.alloc(16);
    expect(into.subarray(0, readSync(master, into)).toString()).toBe("out\r\n");
    closeSync(slave);
    closeSync(master);
  });
});
