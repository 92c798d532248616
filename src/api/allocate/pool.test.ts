import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCidr, type Cidr } from "../../lib/ip.ts";
import { ClusterIpAllocator } from "./cluster-ip.ts";
import { NodePortAllocator, parsePortRange, type PortRange } from "./node-port.ts";
import { BandedPool, NumberPool, staticBand } from "./pool.ts";

/** A small generator of its own, so that a run can be repeated. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("a pool", () => {
  type Step = { readonly do: "take" | "release"; readonly number: number } | { readonly do: "any" };
  const step = fc.oneof<fc.Arbitrary<Step>[]>(
    fc.record({ do: fc.constantFrom("take" as const, "release" as const), number: fc.nat(19) }),
    fc.constant({ do: "any" as const }),
  );

  test("behaves like a set, whatever is taken and given back in whatever order", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(), (steps, seed) => {
        const pool = new NumberPool(20);
        const taken = new Set<number>();
        const random = randomFrom(seed);
        for (const each of steps) {
          if (each.do === "take") expect(pool.take(each.number)).toBe(!taken.has(each.number));
          if (each.do === "take") taken.add(each.number);
          else if (each.do === "release") {
            pool.release(each.number);
            taken.delete(each.number);
          } else {
            const number = pool.takeAny(random);
            expect(number === undefined).toBe(taken.size === 20);
            if (number === undefined) continue;
            expect(taken.has(number)).toBe(false);
            taken.add(number);
          }
          expect(pool.free).toBe(20 - taken.size);
          for (let number = 0; number < 20; number++) expect(pool.isTaken(number)).toBe(taken.has(number));
        }
      }),
    );
  });

  test("gives every number once, then none", () => {
    const pool = new NumberPool(500);
    const random = randomFrom(7);
    const seen = new Set(Array.from({ length: 500 }, () => pool.takeAny(random)));
    expect(seen.size).toBe(500);
    expect(pool.takeAny(random)).toBeUndefined();
  });

  test("two bands: any comes from above while there is something above", () => {
    const pool = new BandedPool(10, 4);
    const random = randomFrom(3);
    const order = Array.from({ length: 10 }, () => pool.takeAny(random) as number);
    expect(order.slice(0, 6).every((number) => number >= 4)).toBe(true);
    expect(order.slice(6).every((number) => number < 4)).toBe(true);
    expect(pool.takeAny(random)).toBeUndefined();
  });

  test.each([
    [15, 0],
    [16, 16],
    [254, 16],
    [1024, 64],
    [65534, 256],
  ])("the static band of %i addresses has %i", (size, band) => expect(staticBand(size, { min: 16, max: 256, step: 16 })).toBe(band));
});

describe("ClusterIPs", () => {
  const allocator = (cidr: string, random = randomFrom(1)) => new ClusterIpAllocator(parseCidr(cidr) as Cidr, random);

  test("network, broadcast and the first address are never given out unasked", () => {
    const ips = allocator("10.0.0.0/28");
    const given = new Set<string>();
    for (;;) {
      const allocated = ips.allocateAny();
      if (allocated.kind !== "ok") break;
      given.add(allocated.value);
    }
    expect(given.size).toBe(13);
    for (const address of ["10.0.0.0", "10.0.0.1", "10.0.0.15"]) expect(given.has(address)).toBe(false);
    expect(ips.reserved).toBe("10.0.0.1");
    expect(ips.allocate("10.0.0.1").kind).toBe("ok");
    expect(ips.allocate("10.0.0.1").kind).toBe("conflict");
    expect(ips.allocateAny().kind).toBe("exhausted");
  });

  test.each(["10.0.0.0", "10.0.0.255", "10.0.1.1", "fd00::1", "nonsense"])("%s is out of range", (address) =>
    expect(allocator("10.0.0.0/24").allocate(address).kind).toBe("outOfRange"),
  );

  test("the lowest addresses are left to those who choose", () => {
    const ips = allocator("10.96.0.0/16");
    for (let i = 0; i < 1000; i++) {
      const allocated = ips.allocateAny();
      const last = allocated.kind === "ok" ? allocated.value.split(".").map(Number) : [];
      expect((last[2] as number) * 256 + (last[3] as number)).toBeGreaterThan(256);
    }
  });

  test("what is given back can be had again, in a /108 of IPv6 as well", () => {
    const ips = allocator("fd00:10:96::/108");
    const allocated = ips.allocateAny();
    if (allocated.kind !== "ok") throw new Error(allocated.kind);
    expect(ips.isAllocated(allocated.value)).toBe(true);
    expect(ips.allocate(allocated.value).kind).toBe("conflict");
    ips.release(allocated.value);
    expect(ips.allocate(allocated.value).kind).toBe("ok");
  });
});

describe("NodePorts", () => {
  const range = parsePortRange("30000-32767") as PortRange;

  test("ranges", () => {
    expect(range).toEqual({ first: 30000, last: 32767 });
    expect(parsePortRange("30000")).toEqual({ first: 30000, last: 30000 });
    for (const text of ["", "a-b", "2-1", "0-5", "1-65536", "1-2-3"]) expect(parsePortRange(text)).toBeUndefined();
  });

  test("any port is in range, above the static band, and never twice", () => {
    const ports = new NodePortAllocator(range, randomFrom(5));
    const seen = new Set<number>();
    for (let i = 0; i < 2000; i++) {
      const allocated = ports.allocateAny();
      if (allocated.kind !== "ok") throw new Error(allocated.kind);
      expect(allocated.value).toBeGreaterThanOrEqual(30086);
      expect(allocated.value).toBeLessThanOrEqual(32767);
      seen.add(allocated.value);
    }
    expect(seen.size).toBe(2000);
    expect(ports.allocate(29999).kind).toBe("outOfRange");
  });
});
