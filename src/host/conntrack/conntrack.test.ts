import fc from "fast-check";
import { expect, test } from "vitest";
import { formatIp } from "../../lib/ip.ts";
import { NetlinkFormatError, readAttributes, readMessages } from "../netlink/reader.ts";
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

test("only flows of the protocol are listed, and a flow that is gone already is no error", () => {
  const sent: number[] = [];
  const tcp = flow({ protocol: 6, source: client, destination: wanted }, { protocol: 6, source: wanted, destination: client });
  const conntrack = openConntrack({
    fd: -1,
    exchange(batch) {
      const types = readMessages(batch).map(({ type }) => type & 255);
      sent.push(...types);
      return types[0] === c.IPCTNL_MSG_CT_DELETE
        ? { ...nothing, failures: [{ sequence: 1, errno: 2, message: undefined }] }
        : { ...nothing, messages: [redirected, tcp] };
    },
    close: () => {},
  });
  const flows = conntrack.list("udp");
  expect(flows.map(({ original }) => original.destination)).toEqual([wanted]);
  conntrack.remove(flows);
  expect(sent).toEqual([c.IPCTNL_MSG_CT_GET, c.IPCTNL_MSG_CT_DELETE]);
});

test("a kernel without filters is asked for everything", () => {
  let tries = 0;
  const conntrack = openConntrack({
    fd: -1,
    exchange: () =>
      tries++ === 0 ? { ...nothing, failures: [{ sequence: 1, errno: 95, message: undefined }] } : { ...nothing, messages: [redirected] },
    close: () => {},
  });
  expect(conntrack.list("udp").length).toBe(1);
  expect(tries).toBe(2);
});
