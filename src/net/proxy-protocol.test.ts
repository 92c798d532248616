import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatIp } from "../lib/ip.ts";
import { encodeProxyHeader, parseProxyHeader } from "./proxy-protocol.ts";

const port = fc.integer({ min: 0, max: 65_535 });
const peer = (family: 4 | 6) =>
  fc.record({
    address: fc.bigInt({ min: 0n, max: family === 4 ? 2n ** 32n - 1n : 2n ** 128n - 1n }).map((value) => formatIp({ family, value })),
    port,
  });

describe("what is written is read", () => {
  test.for([
    [1, 4],
    [1, 6],
    [2, 4],
    [2, 6],
  ] as const)("version %i, IPv%i", ([version, family]) => {
    fc.assert(
      fc.property(peer(family), peer(family), fc.uint8Array({ maxLength: 40 }), (source, destination, rest) => {
        const header = encodeProxyHeader(version, { source, destination });
        const parsed = { kind: "header", length: header.length, source, destination };
        expect(parseProxyHeader(Buffer.concat([header, rest]))).toEqual(parsed);
        for (let cut = 1; cut < header.length; cut++) expect(parseProxyHeader(header.subarray(0, cut)).kind).toBe("short");
      }),
      { numRuns: 50 },
    );
  });

  test.for([1, 2] as const)("version %i: two families speak for themselves", (version) => {
    const header = encodeProxyHeader(version, { source: { address: "10.0.0.1", port: 1 }, destination: { address: "::1", port: 2 } });
    expect(parseProxyHeader(header)).toEqual({ kind: "header", length: header.length });
  });
});

test("the document's own example", () => {
  const text = "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n";
  const addresses = { source: { address: "192.168.0.1", port: 56_324 }, destination: { address: "192.168.0.11", port: 443 } };
  expect(encodeProxyHeader(1, addresses).toString()).toBe(text);
  expect(parseProxyHeader(Buffer.from(`${text}GET /`))).toEqual({ kind: "header", length: text.length, ...addresses });
});

test.for([
  ["GET / HTTP/1.1\r\n", "none"],
  ["", "none"],
  ["PROXY TCP4 10.0.0.1 10.0.0.2 1 65536\r\n", "malformed"],
  ["PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n", "malformed"],
  ["PROXY TCP4 10.0.0.1 10.0.0.2 1 2 3\r\n", "malformed"],
  ["PROXY TCP4 ::1 ::2 1 2\r\n", "malformed"],
  ["PROXY TCP4 010.0.0.1 10.0.0.2 1 2\r\n", "malformed"],
  [`PROXY TCP4 ${"1".repeat(200)}`, "malformed"],
  ["PROXY UNKNOWN ffff:f...f 1 2\r\n", "header"],
] as const)("%j is %s", ([text, kind]) => expect(parseProxyHeader(Buffer.from(text, "latin1")).kind).toBe(kind));

test("any bytes get a verdict, and none reaches past what came", () => {
  const start = fc.constantFrom("", "PROXY ", "PROXY TCP4 ", "\r\n\r\n\0\r\nQUIT\n", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c");
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 60 }), (text, rest) => {
      const bytes = Buffer.concat([Buffer.from(text, "latin1"), rest]);
      const result = parseProxyHeader(bytes);
      if (result.kind === "header") expect(result.length).toBeLessThanOrEqual(bytes.length);
    }),
  );
});
