import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { algorithms } from "../../../decide/proxy/index.ts";
import { createChooser, maglevTable, type ChosenEndpoint } from "./choosers.ts";

const endpoints = (count: number): ChosenEndpoint[] =>
  Array.from({ length: count }, (_, i) => ({ ip: `10.0.${i >> 8}.${i & 255}`, port: 80 }));
const clients = Array.from({ length: 10_000 }, (_, i) => `192.168.${i >> 8}.${i & 255}`);
const context = () => ({ random: Math.random, open: () => 0, turn: { next: 0 } });

describe.each(algorithms)("%s", (algorithm) => {
  test("gives each that has not failed, and nothing when all have", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20 }), fc.ipV4(), (count, client) => {
        const choose = createChooser(algorithm, endpoints(count), context());
        const failed = new Set<ChosenEndpoint>();
        for (let tries = 0; tries < count; tries++) failed.add(choose(client, failed) as ChosenEndpoint);
        expect(failed.size).toBe(count);
        expect(failed.has(undefined as never)).toBe(false);
        expect(choose(client, failed)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  test("spreads ten thousand clients over ten endpoints", () => {
    let state = 1;
    const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const choose = createChooser(algorithm, endpoints(10), { ...context(), random });
    const counts = new Map<unknown, number>();
    for (const client of clients) {
      const chosen = choose(client, undefined);
      counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
    }
    expect(counts.size).toBe(10);
    // Far beyond what chance allows (standard deviation 30), near enough to notice a bias.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

test.for(["source-hash", "maglev"] as const)("%s: a client stays, whatever the order of the endpoints", (algorithm) => {
  const [one, other] = [endpoints(7), endpoints(7).reverse()].map((set) => createChooser(algorithm, set, context()));
  for (const client of clients.slice(0, 200)) expect(other?.(client, undefined)).toEqual(one?.(client, undefined));
});

test("maglev: an endpoint that goes moves few clients of the others", () => {
  const before = createChooser("maglev", endpoints(20), context());
  const after = createChooser("maglev", endpoints(20).slice(1), context());
  const gone = endpoints(20)[0]?.ip;
  const moved = clients.filter((client) => {
    const was = before(client, undefined)?.ip;
    return was !== gone && was !== after(client, undefined)?.ip;
  });
  expect(moved.length).toBeLessThan(clients.length * 0.05);
});

test("maglev: shares of the table are even", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.ipV4(), { minLength: 1, maxLength: 40 }), (keys) => {
      const table = maglevTable(keys);
      const counts = keys.map(() => 0);
      for (const index of table) counts[index] = (counts[index] ?? 0) + 1;
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }),
    { numRuns: 30 },
  );
});

test("least-connections: the one with the fewest", () => {
  const set = endpoints(3);
  const open = new Map([
    [set[0], 2],
    [set[1], 0],
    [set[2], 1],
  ]);
  const choose = createChooser("least-connections", set, { ...context(), open: (endpoint) => open.get(endpoint) ?? 0 });
  expect([choose("a", undefined), choose("a", undefined)]).toEqual([set[1], set[1]]);
  expect(choose("a", new Set([set[1] as ChosenEndpoint]))).toBe(set[2]);
});
