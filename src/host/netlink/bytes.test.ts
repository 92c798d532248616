import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eachAttribute, NetlinkFormatError, NLMSG_DONE, NLMSG_ERROR, readAck, readAttributes, readMessages, readString } from "./reader.ts";
import * as read from "./reader.ts";
import { activateLink, addAddress, addRoute, addVeth, deleteRoute, setLinkUp } from "./route.ts";
import { NetlinkWriter, NLM_F_ACK } from "./writer.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("writer", () => {
  // As `strace -e trace=sendmsg -x ip …` shows them, but for what iproute2 adds of its own.
  test.each<[string, (writer: NetlinkWriter) => void, string]>([
    ["ip link set lo up", (writer) => setLinkUp(writer, 1), "20000000 1000 0100 07000000 00000000 00 00 0000 01000000 01000000 01000000"],
    [
      "ip addr add 10.1.2.3/32 dev lo scope host noprefixroute",
      (writer) => addAddress(writer, { address: "10.1.2.3", index: 1, neverSource: true }),
      "30000000 1400 0105 07000000 00000000 02 20 00 fe 01000000 0800 0200 0a010203 0800 0100 0a010203 0800 0800 00020000",
    ],
    [
      "tc qdisc replace dev #9 root noqueue",
      (writer) => activateLink(writer, 9),
      "30000000 2400 0105 07000000 00000000 00 00 0000 09000000 00000000 ffffffff 00000000 0c00 0100 6e6f717565756500",
    ],
    [
      "ip route replace default via 169.254.1.1 dev #2 onlink",
      (writer) => addRoute(writer, { destination: "0.0.0.0/0", via: "169.254.1.1", index: 2 }),
      "2c000000 1800 0105 07000000 00000000 02 00 00 00 fe 04 00 01 04000000 0800 0500 a9fe0101 0800 0400 02000000",
    ],
    [
      "ip route replace unreachable 10.244.1.0/24",
      (writer) => addRoute(writer, { destination: "10.244.1.7/24" }),
      "24000000 1800 0105 07000000 00000000 02 18 00 00 fe 04 00 07 00000000 0800 0100 0af40100",
    ],
    [
      "ip -6 route del fd00::1/128 dev #9",
      (writer) => deleteRoute(writer, { destination: "fd00::1/128", index: 9 }),
      "38000000 1900 0100 07000000 00000000 0a 80 00 00 fe 04 00 01 00000000 1400 0100 fd000000000000000000000000000001 0800 0400 09000000",
    ],
  ])("%s", (_, write, expected) => {
    const writer = new NetlinkWriter({ firstSequence: 7, initialBytes: 4 });
    write(writer);
    expect(hex(writer.finish())).toBe(expected.replaceAll(" ", ""));
  });

  test("a pair of links: kind and the other end lie nested", () => {
    const writer = new NetlinkWriter();
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
    addVeth(writer, { name: "pod-16", index: 16, mac, mtu: 1500, peer: { name: "eth0", index: 2, mac, namespace: 33 } });
    const [message] = readMessages(writer.finish());
    const outer = readAttributes(message?.payload.subarray(16) as Uint8Array);
    const info = readAttributes(outer.get(18) as Uint8Array);
    const peer = readAttributes(info.get(2) as Uint8Array).get(1) as Uint8Array;
    const inner = readAttributes(peer.subarray(16));
    expect([readString(outer.get(3) as Uint8Array), readString(info.get(1) as Uint8Array)]).toEqual(["pod-16", "veth"]);
    expect([readString(inner.get(3) as Uint8Array), read.readU32(inner.get(28) as Uint8Array)]).toEqual(["eth0", 33]);
  });

  test("labels go with their sequence numbers until the buffer is emptied", () => {
    const writer = new NetlinkWriter({ firstSequence: 0xffff_ffff });
    writer.message(1, 0, "first").message(2, 0, "second");
    expect([writer.label(0xffff_ffff), writer.label(1)]).toEqual(["first", "second"]);
    expect(writer.reset().label(1)).toBeUndefined();
  });

  test("flags are added to the message begun last", () => {
    const writer = new NetlinkWriter();
    writer.message(1, 0).message(2, 0).addFlags(NLM_F_ACK);
    expect(readMessages(writer.finish()).map(({ flags }) => flags)).toEqual([1, 5]);
    expect(() => writer.addFlags(NLM_F_ACK)).toThrow("no message");
  });

  test("an attribute of more than 64 KiB is refused, not cut", () => {
    const writer = new NetlinkWriter();
    writer.message(1, 0);
    expect(() => writer.attributeBytes(1, new Uint8Array(65_532))).toThrow(RangeError);
    const start = writer.beginNest(1);
    writer.attributeBytes(1, new Uint8Array(40_000)).attributeBytes(1, new Uint8Array(40_000));
    expect(() => writer.endNest(start)).toThrow(RangeError);
  });
});

/** An attribute, or a list of them. */
type Tree = { readonly type: number; readonly value: Uint8Array | readonly Tree[] };
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record({
    type: fc.integer({ min: 1, max: 0x3fff }),
    value: fc.oneof({ maxDepth: 3 }, fc.uint8Array({ maxLength: 40 }), fc.array(tie("tree"), { maxLength: 4 })),
  }),
}));

function write(writer: NetlinkWriter, { type, value }: Tree): void {
  if (value instanceof Uint8Array) writer.attributeBytes(type, value);
  else writer.nest(type, () => value.forEach((child) => write(writer, child)));
}

function readTree(bytes: Uint8Array, shape: readonly Tree[]): Tree[] {
  const found: Tree[] = [];
  eachAttribute(bytes, (type, value) => {
    const like = shape[found.length]?.value;
    found.push({ type, value: like instanceof Uint8Array || like === undefined ? value.slice() : readTree(value, like) });
  });
  return found;
}

describe("what is written is read", () => {
  test("trees of attributes, in a buffer that was used before", () => {
    const writer = new NetlinkWriter({ initialBytes: 16 });
    fc.assert(
      fc.property(fc.array(fc.array(tree, { maxLength: 5 }), { minLength: 1, maxLength: 3 }), (messages) => {
        writer.reset();
        for (const [i, list] of messages.entries()) {
          writer.message(100 + i, NLM_F_ACK);
          for (const item of list) write(writer, item);
        }
        const found = readMessages(writer.finish());
        expect(found.map(({ type }) => type)).toEqual(messages.map((_, i) => 100 + i));
        expect(found.map(({ payload }, i) => readTree(payload, messages[i] as Tree[]))).toEqual(messages);
      }),
    );
  });
});

describe("reader", () => {
  /** Everything that reads, on bytes that mean nothing. */
  function readAll(bytes: Uint8Array): void {
    for (const message of readMessages(bytes)) {
      if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) readAck(message);
      for (const value of readAttributes(message.payload).values()) {
        readString(value);
        for (const readNumber of [read.readU8, read.readU16, read.readU16be, read.readU32, read.readU32be, read.readU64be])
          readNumber(value);
        readAttributes(value);
      }
    }
  }

  function expectCalm(bytes: Uint8Array): void {
    try {
      readAll(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(NetlinkFormatError);
    }
  }

  test("ends and stays inside whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expectCalm(bytes)),
      { numRuns: 2000 },
    );
  });

  test("so it does with messages in which some bytes were changed or cut off", () => {
    const arbitrary = fc.tuple(
      fc.array(tree, { maxLength: 4 }),
      fc.constantFrom(NLMSG_ERROR, NLMSG_DONE, 16, 24),
      fc.integer({ min: 0, max: 0x3ff }),
      fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }),
      fc.nat(400),
    );
    fc.assert(
      fc.property(arbitrary, ([list, type, flags, changes, end]) => {
        const writer = new NetlinkWriter();
        writer.message(type, flags).u32(0xffff_ffff);
        for (const item of list) write(writer, item);
        const bytes = writer.finish().slice();
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        expectCalm(bytes.subarray(0, end === 0 ? bytes.length : end));
      }),
      { numRuns: 2000 },
    );
  });

  test("an answer carries the error and the kernel's words", () => {
    const writer = new NetlinkWriter();
    // NLM_F_CAPPED | NLM_F_ACK_TLVS: error number, header of the request, attributes.
    writer
      .message(NLMSG_ERROR, 0x300)
      .u32(-17 >>> 0)
      .u32(99)
      .u32(0)
      .u32(5)
      .u32(0)
      .attributeString(1, "File exists already");
    const [message] = readMessages(writer.finish());
    expect(readAck(message as read.NetlinkMessage)).toEqual({ sequence: 1, errno: 17, message: "File exists already" });
  });
});
