import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as c from "./constants.ts";
import { peerUser, receiveDescriptors, sendDescriptors } from "./descriptors.ts";
import { loadLibc } from "./libc.ts";

test("a message carries bytes and open descriptors, each with a number of its own", (ctx) => {
  const libc = loadLibc();
  if (libc === undefined) return ctx.skip("needs FFI (koffi)");
  const [a, b] = libc.socketpair(c.SOCK_SEQPACKET | c.SOCK_NONBLOCK);
  const files = [openSync("/proc/self/status", "r"), openSync("/proc/self/stat", "r")];
  try {
    expect(receiveDescriptors(libc, b)).toBe(-c.EAGAIN);
    expect(sendDescriptors(libc, a, { bytes: Buffer.from("two"), descriptors: files })).toBe(0);
    expect(sendDescriptors(libc, a, { bytes: Buffer.from("none"), descriptors: [] })).toBe(0);
    const first = receiveDescriptors(libc, b);
    if (typeof first !== "object") throw new Error(`received ${first}`);
    expect(first.bytes.toString()).toBe("two");
    expect(first.descriptors).toHaveLength(2);
    expect(first.descriptors.map((fd) => fstatSync(fd).ino)).toEqual(files.map((fd) => fstatSync(fd).ino));
    expect(readFileSync(first.descriptors[0] as number, "utf8")).toContain("Name:");
    for (const fd of first.descriptors) closeSync(fd);
    expect(receiveDescriptors(libc, b)).toEqual({ bytes: Buffer.from("none"), descriptors: [] });
    expect(peerUser(libc, a)).toBe(process.getuid?.());
    libc.close(a);
    expect(receiveDescriptors(libc, b)).toBeUndefined();
  } finally {
    for (const fd of files) closeSync(fd);
    libc.close(b);
  }
});
