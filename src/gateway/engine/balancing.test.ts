import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Backend, BackendRef, BalancePolicy } from "../../decide/routes/index.ts";
import { Backends } from "./backends.ts";
import { connectionAsking, hashOf, PeakAverage, pick } from "./balancing.ts";
import { judge, EndpointHealth, RetryBudget } from "./endpoint-health.ts";
import type { Endpoint } from "./upstream.ts";

/** Numbers in [0, 1) that are the same in each run (Lehmer's generator). */
function sequence(): () => number {
  let state = 42;
  return () => (state = (state * 48_271) % 0x7fff_ffff) / 0x7fff_ffff;
}

const endpoint = (id: string, active = 0) => ({ id, active, latency: new PeakAverage() });
const asking = (address: string) => connectionAsking(address);
const byAddress: BalancePolicy = { kind: "hash", by: [{ kind: "client-address" }] };
const context = (now = 0) => ({ request: asking("192.0.2.1"), random: sequence(), now: () => now });

function counts<T extends { readonly id: string }>(times: number, choose: () => T): Readonly<Record<string, number>> {
  const all: Record<string, number> = {};
  for (let at = 0; at < times; at++) {
    const { id } = choose();
    all[id] = (all[id] ?? 0) + 1;
  }
  return all;
}

describe("policies", () => {
  const three = [endpoint("a"), endpoint("b", 50), endpoint("c")];

  test("round robin: in turns, however busy they are", () => {
    const turn = { next: 0 };
    expect(counts(300, () => pick({ kind: "round-robin" }, three, turn, context()))).toEqual({ a: 100, b: 100, c: 100 });
  });

  test("without a policy: in turns, and past whoever is busier than the next", () => {
    const turn = { next: 0 };
    expect(counts(300, () => pick(undefined, three, turn, context()))).toEqual({ a: 100, c: 200 });
  });

  test("least requests: of two the one with fewer, so the busiest never when all differ", () => {
    const all = context();
    const busy = [endpoint("a", 1), endpoint("b", 9), endpoint("c", 2)];
    const found = counts(300, () => pick({ kind: "least-requests" }, busy, { next: 0 }, all));
    expect(found["b"]).toBeUndefined();
    expect(found["a"]).toBeGreaterThan(found["c"] as number);
  });

  test("EWMA: past whoever answers slowly, and back when it has answered quickly again", () => {
    const all = context(10_000);
    const [slow, quick] = [endpoint("slow"), endpoint("quick")];
    slow.latency.observe(500, 10_000);
    quick.latency.observe(5, 10_000);
    const ewma: BalancePolicy = { kind: "ewma" };
    expect(counts(100, () => pick(ewma, [slow, quick], { next: 0 }, all))).toEqual({ quick: 100 });
    // Busy enough, and the quick one is the worse of the two: 5 ms each for 101 requests are more than 500 ms for one.
    quick.active = 101;
    expect(counts(100, () => pick(ewma, [slow, quick], { next: 0 }, all))).toEqual({ slow: 100 });
    quick.active = 0;
    for (let now = 10_000; now < 90_000; now += 1000) slow.latency.observe(1, now);
    expect(pick(ewma, [slow, quick], { next: 0 }, context(90_000)).latency.cost(90_000)).toBeLessThan(5);
  });

  test("the average follows a peak at once and forgets it slowly", () => {
    const average = new PeakAverage();
    average.observe(10, 0);
    average.observe(200, 1);
    expect(average.cost(1)).toBe(200);
    average.observe(10, 1001);
    expect(average.cost(1001)).toBeGreaterThan(150);
    expect(average.cost(60_000)).toBeLessThan(1);
  });

  test("hash: the same endpoint for the same client, an even spread over clients", () => {
    const ten = Array.from({ length: 10 }, (_, at) => endpoint(`e${at}`));
    const choose = (address: string) => pick(byAddress, ten, { next: 0 }, { ...context(), request: asking(address) });
    let client = 0;
    const found = counts(10_000, () => choose(`10.0.${client >> 8}.${client++ & 255}`));
    for (const count of Object.values(found)) expect(count).toBeGreaterThan(850);
    expect(choose("10.0.0.1")).toBe(choose("10.0.0.1"));
  });

  test("hash: when an endpoint goes, only its own clients go elsewhere, to all others", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 40 }), fc.nat(), fc.ipV4(), (size, gone, address) => {
        const all = Array.from({ length: size }, (_, at) => endpoint(`e${at}`));
        const left = all.filter((_, at) => at !== gone % size);
        const choose = (from: typeof all) => pick(byAddress, from, { next: 0 }, { ...context(), request: asking(address) });
        const before = choose(all);
        if (left.includes(before)) expect(choose(left)).toBe(before);
      }),
    );
  });

  test("hashes are FNV-1a's", () => {
    expect([hashOf(""), hashOf("a"), hashOf("foobar")]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });
});

describe("a backend", () => {
  const ref: BackendRef = { kind: "Service", namespace: "shop", name: "web", port: { kind: "number", number: 80 }, weight: 1 };
  const backend = (ips: readonly string[], tuning: NonNullable<Extract<Backend, { kind: "endpoints" }>["tuning"]> = {}): Backend => ({
    kind: "endpoints",
    endpoints: ips.map((ip) => ({ ip, port: 80 })),
    tuning,
  });
  const ask = (backends: Backends, now: number, address = "192.0.2.1"): Endpoint => {
    const choice = backends.choose(ref, now, { request: asking(address) });
    if (choice.kind === "none") throw new Error(choice.message);
    return choice.endpoint;
  };
  const shareOf = (backends: Backends, ip: string, now: number) =>
    Array.from({ length: 1000 }, () => ask(backends, now)).filter(({ address }) => address.ip === ip).length;

  test("slow start: an endpoint that joins gets a tenth of its turns, then more, then all; the first ones do not wait", () => {
    let now = 0;
    const backends = new Backends({ random: sequence(), now: () => now });
    backends.set("shop/web:80", backend(["10.0.0.1", "10.0.0.2"], { slowStartMs: 10_000 }));
    expect(shareOf(backends, "10.0.0.2", now)).toBe(500);
    backends.set("shop/web:80", backend(["10.0.0.1", "10.0.0.2", "10.0.0.3"], { slowStartMs: 10_000 }));
    expect(shareOf(backends, "10.0.0.3", now)).toBeLessThan(60);
    now = 5000;
    const half = shareOf(backends, "10.0.0.3", now);
    expect(half).toBeGreaterThan(100);
    expect(half).toBeLessThan(240);
    now = 10_000;
    expect(shareOf(backends, "10.0.0.3", now)).toBeGreaterThan(300);
  });

  test("slow start: an edit of the backend does not begin it anew", () => {
    let now = 0;
    const backends = new Backends({ random: sequence(), now: () => now });
    backends.set("shop/web:80", backend(["10.0.0.1"], { slowStartMs: 10_000 }));
    backends.set("shop/web:80", backend(["10.0.0.1", "10.0.0.2"], { slowStartMs: 10_000 }));
    ask(backends, now);
    ask(backends, now);
    now = 9000;
    backends.set("shop/web:80", backend(["10.0.0.1", "10.0.0.2", "10.0.0.3"], { slowStartMs: 10_000 }));
    expect(shareOf(backends, "10.0.0.2", now)).toBeGreaterThan(250);
  });

  test("five failures in a row leave an endpoint out for ten seconds, then for twenty", () => {
    const backends = new Backends({ random: sequence(), now: () => 0 });
    backends.set("shop/web:80", backend(["10.0.0.1", "10.0.0.2"]));
    const bad = ask(backends, 0);
    for (let times = 0; times < 4; times++) backends.judge(ref, bad, true, 1);
    backends.judge(ref, bad, false, 1);
    for (let times = 0; times < 4; times++) backends.judge(ref, bad, true, 1);
    expect(shareOf(backends, bad.address.ip, 2)).toBe(500);
    backends.judge(ref, bad, true, 2);
    expect(shareOf(backends, bad.address.ip, 3)).toBe(0);
    expect(shareOf(backends, bad.address.ip, 10_002)).toBe(500);
    for (let times = 0; times < 5; times++) backends.judge(ref, bad, true, 10_002);
    expect(shareOf(backends, bad.address.ip, 30_001)).toBe(0);
    expect(shareOf(backends, bad.address.ip, 30_002)).toBe(500);
  });

  test("never more than half of a backend is left out", () => {
    const all = Array.from({ length: 4 }, () => ({ health: new EndpointHealth(), avoidUntil: 0 }));
    for (const each of all) for (let times = 0; times < 5; times++) judge(each, true, all, 100);
    expect(all.filter(({ avoidUntil }) => avoidUntil > 100)).toHaveLength(2);
    const alone = { health: new EndpointHealth(), avoidUntil: 0 };
    for (let times = 0; times < 50; times++) judge(alone, true, [alone], 100);
    expect(alone.avoidUntil).toBe(0);
  });

  test("tries again: a fifth of the requests, and ten a second at the least", () => {
    const budget = new RetryBudget(0);
    const take = (now: number) => {
      let tries = 0;
      while (budget.withdraw(now)) tries += 1;
      return tries;
    };
    expect(take(0)).toBe(10);
    for (let requests = 0; requests < 101; requests++) budget.deposit();
    expect(take(0)).toBe(20);
    expect(take(1000)).toBe(10);
    expect(take(3_600_000)).toBe(100);
  });
});
