import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NetlinkFormatError, readMessages } from "../netlink/reader.ts";
import { NetlinkWriter } from "../netlink/writer.ts";
import * as c from "./constants.ts";
import { readEntries, writeEntry, type SetType } from "./entries.ts";

/** As the kernel lists them. */
function listed(type: SetType, entries: readonly string[]): readonly string[] {
  const writer = new NetlinkWriter();
  writer.message(0, 0);
  writer.nest(c.IPSET_ATTR_ADT, (list) => {
    for (const entry of entries) list.nest(c.IPSET_ATTR_DATA, (inner) => writeEntry(inner, type, entry));
  });
  const [message] = readMessages(writer.finish());
  return readEntries(message?.payload ?? new Uint8Array(), type);
}

const ip4 = fc.ipV4();
const ip6 = fc.constantFrom("fd00:10:96::1", "2001:db8::", "::1");
const port = fc.integer({ min: 0, max: 65_535 });
const transport = fc.tuple(fc.constantFrom("tcp", "udp", "sctp"), port).map(([name, number]) => `${name}:${number}`);
const entries: Readonly<Record<SetType, fc.Arbitrary<string>>> = {
  "hash:ip": fc.oneof(ip4, ip6),
  "hash:ip,port": fc.tuple(fc.oneof(ip4, ip6), transport).map((parts) => parts.join()),
  "hash:ip,port,ip": fc.tuple(ip4, transport, ip4).map((parts) => parts.join()),
  "hash:ip,port,net": fc.tuple(ip4, transport, fc.constantFrom("10.0.0.0/8", "128.0.0.0/1", "192.0.2.7/32")).map((parts) => parts.join()),
  "bitmap:port": port.map(String),
};

describe("what is written is read back", () => {
  test.each(Object.keys(entries) as SetType[])("%s", (type) => {
    fc.assert(fc.property(fc.array(entries[type], { maxLength: 5 }), (list) => void expect(listed(type, list)).toEqual(list)));
  });
});

test("what is no entry of the type is refused, not sent", () => {
  const wrong: readonly (readonly [SetType, string])[] = [
    ["hash:ip", "10.0.0.1,tcp:80"],
    ["hash:ip", "no address"],
    ["hash:ip,port", "10.0.0.1"],
    ["hash:ip,port", "10.0.0.1,icmp:8"],
    ["hash:ip,port", "10.0.0.1,tcp:70000"],
    ["hash:ip,port", "10.0.0.1,tcp:80,10.0.0.2"],
    ["hash:ip,port,ip", "10.0.0.1,tcp:80"],
    ["hash:ip,port,ip", "10.0.0.1,tcp:80,10.0.0.2,10.0.0.3"],
    ["bitmap:port", "65536"],
    ["bitmap:port", "tcp:80"],
  ];
  for (const [type, entry] of wrong) expect(() => listed(type, [entry]), `${type} ${entry}`).toThrow(TypeError);
});

test("whatever the bytes are, reading ends, and says when they are malformed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...(Object.keys(entries) as SetType[])), (bytes, type) => {
      try {
        for (const entry of readEntries(bytes, type)) expect(typeof entry).toBe("string");
      } catch (error) {
        expect(error).toBeInstanceOf(NetlinkFormatError);
      }
    }),
    { numRuns: 500 },
  );
});
