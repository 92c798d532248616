import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  cidrAddress,
  cidrContains,
  cidrSize,
  formatCidr,
  formatIp,
  parseCidr,
  parseIp,
  parseIpSloppy,
  reverseName,
  type Cidr,
  type Ip,
} from "./ip.ts";

describe("addresses", () => {
  test.each([
    ["10.96.0.1", "10.96.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["FD00:10:96::A", "fd00:10:96::a"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["::ffff:1.2.3.4", "::ffff:1.2.3.4"],
    ["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
  ])("%s is written %s", (text, canonical) => {
    expect(formatIp(parseIp(text) as Ip)).toBe(canonical);
  });

  test.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "010.0.0.1",
    "1.2.3.4/8",
    " 1.2.3.4",
    "1:2",
    ":::",
    "1::2::3",
    "12345::",
    "fe80::1%eth0",
    "1:2:3:4:5:6:7:8:9",
    "::1.2.3",
  ])("%j is refused", (text) => expect(parseIp(text)).toBeUndefined());

  test("leading zeros are decimal where Kubernetes still takes them", () => {
    expect(parseIpSloppy("010.000.0.08")).toEqual(parseIp("10.0.0.8"));
    expect(parseIpSloppy("010.256.0.1")).toBeUndefined();
  });

  test("text and value are two ways to write one address", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.record({ family: fc.constant(4 as const), value: fc.bigInt(0n, (1n << 32n) - 1n) }),
          fc.record({ family: fc.constant(6 as const), value: fc.bigInt(0n, (1n << 128n) - 1n) }),
        ),
        (ip) => {
          expect(parseIp(formatIp(ip))).toEqual(ip);
        },
      ),
    );
  });

  test("no text makes the parser throw", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseIp(text)));
  });
});

describe("blocks", () => {
  test("host bits are cleared, ends are inside, neighbours are not", () => {
    const cidr = parseCidr("10.1.2.3/12") as Cidr;
    expect(formatCidr(cidr)).toBe("10.0.0.0/12");
    expect(cidrSize(cidr)).toBe(1n << 20n);
    expect(cidrContains(cidr, parseIp("10.15.255.255") as Ip)).toBe(true);
    expect(cidrContains(cidr, parseIp("10.16.0.0") as Ip)).toBe(false);
    expect(cidrContains(cidr, parseIp("::a00:1") as Ip)).toBe(false);
    expect(formatIp(cidrAddress(cidr, 10))).toBe("10.0.0.10");
  });

  test.each(["10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "fd00::/129", "/8"])("%j is refused", (text) =>
    expect(parseCidr(text)).toBeUndefined(),
  );
});

test("reverse names", () => {
  expect(reverseName(parseIp("10.96.0.1") as Ip)).toBe("1.0.96.10.in-addr.arpa.");
  expect(reverseName(parseIp("fd00::1") as Ip)).toBe("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.");
});
