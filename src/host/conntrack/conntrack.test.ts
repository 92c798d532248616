import fc from "fast-check";
import { expect, test } from "vitest";
import { formatIp } from "../../lib/ip.ts";
import { NetlinkFormatError, readAttributes, readMessages, readU32, readU32be } from "../netlink/reader.ts";
import type { Exchange, NetlinkSocket } from "../netlink/socket.ts";
import { NetlinkWriter } from "../netlink/writer.ts";
import { openConntrack, originalDestination } from "./conntrack.ts";
import * as c from "./constants.ts";
import { readTuple, writeTuple, type Tuple } from "./tuple.ts";

const port = fc.integer({ min: 0, max: 65_535 });
const tuple = fc.constantFrom(4 as const, 6 as const).chain((family) => {
  const ip = fc.bigInt({ min: 0n, max: (1n << (family === 4 ? 32n : 128n)) - 1n }).map((value) => formatIp({ family, value }));
  const endpoint = fc.record({ ip, port });
  return fc.record({ protocol: fc.integer({ min: 0, max: 255 }), source: endpoint, destination: endpoint });
});

test("a tuple is read as it was written", () => {
  fc.assert(
    fc.property(tuple, (one) => {
      const writer = new NetlinkWriter();
      writeTuple(writer.message(1, 0), c.CTA_TUPLE_ORIG, one);
      const [message] = readMessages(writer.finish());
      const bytes = readAttributes(message?.payload as Uint8Array).get(c.CTA_TUPLE_ORIG) as Uint8Array;
      expect(readTuple(bytes)).toEqual(one);
    }),
  );
});

test("any bytes are a tuple, none, or malformed netlink", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        readTuple(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(NetlinkFormatError);
      }
    }),
    { numRuns: 2000 },
  );
});

const nothing: Exchange = { acknowledged: [], failures: [], messages: [], overrun: false };
const flow = (original: Tuple, reply: Tuple) => {
  const writer = new NetlinkWriter();
  writeTuple(writer.message(1, 0).u8(2).u8(0).u16be(0), c.CTA_TUPLE_ORIG, original);
  writeTuple(writer, c.CTA_TUPLE_REPLY, reply);
  return {
    type: (c.NFNL_SUBSYS_CTNETLINK << 8) | c.IPCTNL_MSG_CT_NEW,
    flags: 0,
    sequence: 1,
    payload: readMessages(writer.finish())[0]?.payload.slice() as Uint8Array,
  };
};
const client = { ip: "10.244.1.2", port: 40_000 };
const wanted = { ip: "203.0.113.7", port: 53 };
const local = { ip: "10.250.0.254", port: 15_002 };
const redirected = flow({ protocol: 17, source: client, destination: wanted }, { protocol: 17, source: local, destination: client });

test("where a redirected datagram wanted to go; undefined for an unknown one", () => {
  const answering = (exchange: () => Exchange): NetlinkSocket => ({ fd: -1, exchange, close: () => {} });
  const found = openConntrack(answering(() => ({ ...nothing, messages: [redirected] })));
  expect(originalDestination(found, { client, local })).toEqual(wanted);
  const unknown = openConntrack(answering(() => ({ ...nothing, failures: [{ sequence: 1, errno: 2, message: undefined }] })));
  expect(originalDestination(unknown, { client, local })).toBeUndefined();
});

test("only flows of the protocol are listed, family by family, and a flow that is gone already is no error", () => {
  const sent: number[] = [];
  const tcp = flow({ protocol: 6, source: client, destination: wanted }, { protocol: 6, source: wanted, destination: client });
  const conntrack = openConntrack({
    fd: -1,
    exchange(batch) {
      const [message] = readMessages(batch);
      const type = (message?.type ?? 0) & 255;
      sent.push(type);
      if (type === c.IPCTNL_MSG_CT_DELETE) return { ...nothing, failures: [{ sequence: 1, errno: 2, message: undefined }] };
      return { ...nothing, messages: message?.payload[0] === 2 ? [redirected, tcp] : [] };
    },
    close: () => {},
  });
  const flows = conntrack.list("udp");
  expect(flows.map(({ original }) => original.destination)).toEqual([wanted]);
  conntrack.remove(flows);
  expect(sent).toEqual([c.IPCTNL_MSG_CT_GET, c.IPCTNL_MSG_CT_GET, c.IPCTNL_MSG_CT_DELETE]);
});

/** A kernel that knows no filters: it refuses them, and gives everything without. */
function oldKernel(): { readonly socket: NetlinkSocket; readonly deleted: Uint8Array[] } {
  const deleted: Uint8Array[] = [];
  const socket: NetlinkSocket = {
    fd: -1,
    exchange(batch) {
      const [message] = readMessages(batch);
      const payload = message?.payload ?? new Uint8Array();
      const filtered = readAttributes(payload.subarray(4)).has(c.CTA_FILTER);
      if (filtered) return { ...nothing, failures: [{ sequence: message?.sequence ?? 0, errno: 22, message: undefined }] };
      if (((message?.type ?? 0) & 255) === c.IPCTNL_MSG_CT_DELETE) deleted.push(payload.slice());
      return { ...nothing, messages: payload[0] === 2 ? [redirected] : [] };
    },
    close: () => {},
  };
  return { socket, deleted };
}

test("a kernel without filters is asked for everything", () => {
  expect(openConntrack(oldKernel().socket).list("udp").length).toBe(1);
});

test("a kernel that cannot delete by filter deletes what we find", () => {
  const { socket, deleted } = oldKernel();
  const conntrack = openConntrack(socket);
  conntrack.removeMatching("udp", [{ destination: wanted, source: { ip: "10.244.1.9", port: 1 } }]);
  expect(deleted.length).toBe(0);
  conntrack.removeMatching("udp", [{ destination: wanted, source: local }]);
  expect(deleted.length).toBe(1);
  conntrack.removeMatching("udp", [{ destination: wanted }]);
  expect(deleted.length).toBe(2);
});

test("IPv6 flows are found by us: the kernel's own comparison is the wrong way round", () => {
  const types: number[] = [];
  const conntrack = openConntrack({
    fd: -1,
    exchange: (batch) => {
      types.push((readMessages(batch)[0]?.type ?? 0) & 255);
      return nothing;
    },
    close: () => {},
  });
  conntrack.removeMatching("udp", [{ destination: { ip: "fd00::1", port: 53 } }]);
  expect(types).toEqual([c.IPCTNL_MSG_CT_GET]);
});

test("a match names the parts that count", () => {
  let sent: Uint8Array = new Uint8Array();
  const conntrack = openConntrack({ fd: -1, exchange: (batch) => ((sent = batch.slice()), nothing), close: () => {} });
  const attributesSent = () => readAttributes(readMessages(sent)[0]?.payload.subarray(4) ?? new Uint8Array());
  conntrack.removeMatching("udp", [{ destination: wanted, source: local }]);
  const attributes = attributesSent();
  expect(attributes.has(c.CTA_STATUS_MASK)).toBe(false);
  const filter = readAttributes(attributes.get(c.CTA_FILTER) as Uint8Array);
  expect(readU32(filter.get(c.CTA_FILTER_ORIG_FLAGS) as Uint8Array)).toBe(0b10_1010);
  expect(readU32(filter.get(c.CTA_FILTER_REPLY_FLAGS) as Uint8Array)).toBe(0b01_1001);
  conntrack.removeMatching("tcp", [{ destination: wanted, source: local, unanswered: true }]);
  expect(readU32be(attributesSent().get(c.CTA_STATUS) as Uint8Array)).toBe(0);
  expect(readU32be(attributesSent().get(c.CTA_STATUS_MASK) as Uint8Array)).toBe(c.IPS_SEEN_REPLY);
});
