import { expect, test } from "vitest";
import type { Operation } from "../../lib/nftables/ruleset.ts";
import { readAttributes, readMessages, readString, readU32be, eachAttribute } from "../netlink/reader.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import * as c from "./constants.ts";
import { openNftables } from "./nftables.ts";

const table = { family: "ip", name: "fairlead" } as const;
const set = { name: "endpoints-tcp", key: ["ipv4_addr", "inet_service", "mark"], value: ["ipv4_addr", "inet_service"] } as const;
const elements = (count: number) => Array.from({ length: count }, (_, i) => ({ key: ["10.96.0.1", 80, i], value: ["10.244.0.1", 8080] }));

/** A socket that keeps what it is sent and acknowledges the messages that ask for it. */
function recorder(refuse?: { readonly message: number; readonly errno: number }) {
  const batches: Uint8Array[] = [];
  const socket: NetlinkSocket = {
    fd: -1,
    exchange(batch) {
      batches.push(batch.slice());
      const messages = readMessages(batch);
      const acknowledged = messages.filter(({ flags }) => (flags & 4) !== 0).map(({ sequence }) => sequence);
      const failures =
        refuse === undefined ? [] : [{ sequence: messages[refuse.message]?.sequence ?? 0, errno: refuse.errno, message: "No such file" }];
      return { acknowledged: refuse === undefined ? acknowledged : [], failures, messages: [], overrun: false };
    },
    close: () => {},
  };
  return { nftables: openNftables(socket), batches };
}

test("a transaction is one batch with one acknowledgement, asked of its last operation", () => {
  const { nftables, batches } = recorder();
  nftables.commit([
    { kind: "addTable", table },
    { kind: "addSet", table, set },
    { kind: "addElements", table, set, elements: elements(3) },
  ]);
  expect(batches.length).toBe(1);
  const messages = readMessages(batches[0] as Uint8Array);
  expect(messages.map(({ type }) => type)).toEqual([
    c.NFNL_MSG_BATCH_BEGIN,
    (c.NFNL_SUBSYS_NFTABLES << 8) | c.NFT_MSG_NEWTABLE,
    (c.NFNL_SUBSYS_NFTABLES << 8) | c.NFT_MSG_NEWSET,
    (c.NFNL_SUBSYS_NFTABLES << 8) | c.NFT_MSG_NEWSETELEM,
    c.NFNL_MSG_BATCH_END,
  ]);
  expect(messages.map(({ flags }) => flags & 4)).toEqual([0, 0, 0, 4, 0]);
});

test("lists are cut so that their length fits into an attribute", () => {
  const { nftables, batches } = recorder();
  nftables.commit([{ kind: "addElements", table, set, elements: elements(2000) }]);
  const lists = readMessages(batches[0] as Uint8Array)
    .filter(({ type }) => (type & 255) === c.NFT_MSG_NEWSETELEM)
    .map(({ payload }) => {
      let count = 0;
      const list = readAttributes(payload.subarray(4)).get(c.NFTA_SET_ELEM_LIST_ELEMENTS) as Uint8Array;
      eachAttribute(list, () => (count += 1));
      return count;
    });
  expect(lists.reduce((sum, count) => sum + count, 0)).toBe(2000);
  expect(Math.max(...lists)).toBeLessThan(1000);
});

test("a set says how its bytes are to be read", () => {
  const { nftables, batches } = recorder();
  nftables.commit([{ kind: "addSet", table, set: { ...set, size: 10, flags: ["dynamic", "timeout"] } }]);
  const payload = readMessages(batches[0] as Uint8Array)[1]?.payload.subarray(4) as Uint8Array;
  const attributes = readAttributes(payload);
  expect(readString(attributes.get(c.NFTA_SET_NAME) as Uint8Array)).toBe("endpoints-tcp");
  expect(readU32be(attributes.get(c.NFTA_SET_KEY_TYPE) as Uint8Array)).toBe((7 << 12) | (13 << 6) | 19);
  expect(readU32be(attributes.get(c.NFTA_SET_KEY_LEN) as Uint8Array)).toBe(12);
  expect(readU32be(attributes.get(c.NFTA_SET_DATA_LEN) as Uint8Array)).toBe(8);
  expect(readU32be(attributes.get(c.NFTA_SET_FLAGS) as Uint8Array)).toBe(c.NFT_SET_MAP | c.NFT_SET_TIMEOUT | c.NFT_SET_EVAL);
});

test("an error names the operation that the kernel refused, and its code", () => {
  const { nftables } = recorder({ message: 2, errno: 2 });
  const operations: Operation[] = [
    { kind: "addTable", table },
    { kind: "deleteChain", table, chain: "gone" },
  ];
  expect(() => nftables.commit(operations)).toThrow(/ENOENT delete chain ip fairlead gone: No such file/);
});

test("a transaction without an answer is no success", () => {
  const nftables = openNftables({
    fd: -1,
    exchange: () => ({ acknowledged: [], failures: [], messages: [], overrun: true }),
    close: () => {},
  });
  expect(() => nftables.commit([{ kind: "addTable", table }])).toThrow(/no answer/);
});

test("nothing to do sends nothing", () => {
  const { nftables, batches } = recorder();
  nftables.commit([]);
  expect(batches).toEqual([]);
});
