import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FakeClock, realClock } from "../lib/clock.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { createWorkQueue } from "./workqueue.ts";

const queueOf = (clock = new FakeClock(), metrics?: MetricsRegistry) => ({
  clock,
  queue: createWorkQueue({ name: "test", clock, ...(metrics === undefined ? {} : { metrics }) }),
});

test("a key waits once, in order of arrival", async () => {
  const { queue } = queueOf();
  for (const key of ["a", "b", "a", "c", "b"]) queue.add(key);
  expect(queue.length).toBe(3);
  expect([await queue.get(), await queue.get(), await queue.get()]).toEqual(["a", "b", "c"]);
});

test("a key added while it is worked on comes again when it is done, not before", async () => {
  const { queue } = queueOf();
  queue.add("a");
  expect(await queue.get()).toBe("a");
  queue.add("a");
  queue.add("a");
  expect(queue.length).toBe(0);
  queue.done("a");
  expect(await queue.get()).toBe("a");
  queue.done("a");
  queue.done("never taken");
  expect(queue.length).toBe(0);
});

test("later: the earliest time counts", async () => {
  const { queue, clock } = queueOf();
  queue.addAfter("a", 100);
  queue.addAfter("a", 50);
  queue.addAfter("a", 70);
  queue.addAfter("now", 0);
  expect(queue.length).toBe(1);
  clock.advance(49);
  expect(queue.length).toBe(1);
  clock.advance(1);
  expect(queue.length).toBe(2);
  clock.advance(1000);
  expect(queue.length).toBe(2);
});

test("failures come back after 5 ms, 10 ms, … 1000 s, and are forgotten by success", () => {
  const { queue, clock } = queueOf();
  for (const wait of [5, 10, 20, 40]) {
    queue.addRateLimited("a");
    clock.advance(wait - 1);
    expect(queue.length).toBe(0);
    clock.advance(1);
    expect(queue.length).toBe(1);
    void queue.get();
    queue.done("a");
  }
  expect(queue.retries("a")).toBe(4);
  for (let i = 0; i < 30; i++) queue.addRateLimited("b");
  queue.forget("a");
  expect([queue.retries("a"), queue.retries("b")]).toEqual([0, 30]);
  clock.advance(1_000_000);
  queue.addRateLimited("b");
  clock.advance(999_999);
  expect(queue.retries("b")).toBe(31);
});

test("a failed key is tried again, others go on meanwhile, and success forgets", async () => {
  const metrics = new MetricsRegistry();
  const queue = createWorkQueue({ name: "test", clock: realClock, metrics });
  const seen: string[] = [];
  const ended = queue.run(2, async (key) => {
    seen.push(key);
    if (key === "bad" && seen.filter((other) => other === "bad").length < 3) throw new Error("not yet");
    if (seen.filter((other) => other === "bad").length === 3 && key === "bad") queue.shutDown();
  });
  queue.add("bad");
  queue.add("good");
  await ended;
  expect(seen).toEqual(["bad", "good", "bad", "bad"]);
  expect(queue.retries("bad")).toBe(0);
  expect(metrics.text()).toContain('workqueue_retries_total{name="test"} 2');
  expect(metrics.text()).toContain('workqueue_adds_total{name="test"} 4');
});

test("shutting down frees the workers and takes nothing more", async () => {
  const { queue, clock } = queueOf();
  const ended = queue.run(3, async () => undefined);
  queue.addAfter("a", 10);
  queue.shutDown();
  await ended;
  queue.add("b");
  queue.addAfter("c", 1);
  queue.addRateLimited("d");
  expect([queue.length, clock.pending, await queue.get()]).toEqual([0, 0, undefined]);
});

test("whatever happens: no key with two workers, and no addition is lost", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(3)), { maxLength: 40 }), async (additions) => {
      const queue = createWorkQueue({ name: "test", clock: realClock });
      const version: Record<string, number> = {};
      const done: Record<string, number> = {};
      const busy = new Set<string>();
      const ended = queue.run(3, async (key) => {
        expect(busy.has(key)).toBe(false);
        busy.add(key);
        const seen = version[key] as number;
        for (let i = 0; i < 3; i++) await Promise.resolve();
        done[key] = seen;
        busy.delete(key);
      });
      for (const [key, turns] of additions) {
        version[key] = (version[key] ?? 0) + 1;
        queue.add(key);
        for (let i = 0; i < turns; i++) await Promise.resolve();
      }
      await new Promise((resolve) => setImmediate(resolve));
      queue.shutDown();
      await ended;
      expect(done).toEqual(version);
    }),
  );
});
