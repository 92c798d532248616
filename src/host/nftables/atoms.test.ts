import fc from "fast-check";
import { expect, test } from "vitest";
import { formatIp } from "../../lib/ip.ts";
import { bytesOfIp } from "../syscalls/ip-bytes.ts";
import { encodeAtom, encodeAtoms } from "./atoms.ts";

const v4 = fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }).map((value) => formatIp({ family: 4, value }));
/** Runs of zeros at every place, so that `::` stands everywhere. */
const v6 = fc
  .array(fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 0xffffn })), { minLength: 8, maxLength: 8 })
  .map((groups) => formatIp({ family: 6, value: groups.reduce((sum, group) => (sum << 16n) | group, 0n) }));

test("every canonical address is its bytes", () => {
  fc.assert(fc.property(v4, (text) => void expect([...encodeAtom(text, "ipv4_addr")]).toEqual([...bytesOfIp(text)])));
  fc.assert(
    fc.property(v6, (text) => void expect([...encodeAtom(text, "ipv6_addr")]).toEqual([...bytesOfIp(text)])),
    { numRuns: 2000 },
  );
  expect([...encodeAtom("::ffff:10.0.0.1", "ipv6_addr")].slice(10)).toEqual([255, 255, 10, 0, 0, 1]);
});

test("what is no address is refused, whatever it is, and nothing is written past the value", () => {
  const junk = fc.string({ unit: fc.constantFrom(..."0123456789abcdef:.g/ "), maxLength: 50 });
  fc.assert(
    fc.property(junk, fc.constantFrom("ipv4_addr" as const, "ipv6_addr" as const), (text, type) => {
      let bytes: Uint8Array | undefined;
      try {
        bytes = encodeAtom(text, type);
      } catch (error) {
        return void expect(error).toBeInstanceOf(TypeError);
      }
      expect(bytes.length).toBe(type === "ipv4_addr" ? 4 : 16);
    }),
    { numRuns: 5000 },
  );
  for (const text of ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1..2.3", "a.b.c.d"])
    expect(() => encodeAtom(text, "ipv4_addr")).toThrow(TypeError);
  for (const text of [
    "1:2:3",
    "1::2::3",
    "12345::",
    "1:2:3:4:5:6:7:8:9",
    "::1.2.3",
    "g::",
    "1:2:3:4:5:6:7:8:",
    "1:2:3:4:5:6:7:8::",
    ":1",
    "1:",
  ])
    expect(() => encodeAtom(text, "ipv6_addr")).toThrow(TypeError);
});

test("parts of a concatenation are padded to words, ports and protocols in network order, marks in the machine's", () => {
  expect([...encodeAtoms(["10.96.0.10", "tcp", 80], ["ipv4_addr", "inet_proto", "inet_service"])]).toEqual([
    10, 96, 0, 10, 6, 0, 0, 0, 0, 80, 0, 0,
  ]);
  expect([...encodeAtoms([0x0102_0304], ["mark"])]).toEqual([...new Uint8Array(Uint32Array.of(0x0102_0304).buffer)]);
  expect([...encodeAtom(8080, "inet_service")]).toEqual([0x1f, 0x90]);
  expect(() => encodeAtoms(["frob"], ["inet_proto"])).toThrow(TypeError);
});
