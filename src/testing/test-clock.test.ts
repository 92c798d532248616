import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FakeClock } from "../lib/clock.ts";
import { createTestClock } from "./test-clock.ts";

/** A machine whose time the table moves, and a cluster that is always at rest. */
function rig() {
  const machine = new FakeClock(1_000_000);
  const clock = createTestClock({ settle: async () => undefined, machine });
  const fired: string[] = [];
  const start = clock.monotonic();
  const at = (name: string) => () => void fired.push(`${name}@${clock.monotonic() - start}`);
  return { machine, clock, fired, at, start };
}

test("it runs like the machine's", () => {
  const { machine, clock, fired, at } = rig();
  clock.after(100, at("a"));
  machine.advance(99);
  expect(fired).toEqual([]);
  machine.advance(1);
  expect([fired, clock.now() - machine.now()]).toEqual([["a@100"], 0]);
});

test("advance runs what falls due at its own time, what it adds included, and time goes on from there", async () => {
  const { machine, clock, fired, at, start } = rig();
  clock.after(300, at("late"));
  clock.after(100, () => {
    at("first")();
    clock.after(50, at("added"));
    clock.after(950, at("beyond"));
  });
  await clock.advance(1000);
  expect(fired).toEqual(["first@100", "added@150", "late@300"]);
  expect([clock.monotonic() - start, clock.now() - machine.now(), clock.isFrozen]).toEqual([1000, 1000, false]);
  machine.advance(50);
  expect(fired.at(-1)).toBe("beyond@1050");
});

test("frozen, only advance moves it; what is due at once still happens", async () => {
  const { machine, clock, fired, at, start } = rig();
  clock.freeze();
  clock.freeze();
  clock.after(10_000, at("limit"));
  clock.after(0, at("turn"));
  machine.advance(60_000);
  expect([fired, clock.monotonic() - start]).toEqual([["turn@0"], 0]);
  await clock.advance(9_999);
  expect(fired).toEqual(["turn@0"]);
  await clock.advance(1);
  expect([fired, clock.isFrozen]).toEqual([["turn@0", "limit@10000"], true]);
});

test("running again after a freeze it goes on from where it stood", () => {
  const { machine, clock, fired, at, start } = rig();
  clock.after(100, at("a"));
  machine.advance(40);
  clock.freeze();
  machine.advance(1000);
  clock.run();
  clock.run();
  machine.advance(59);
  expect([fired, clock.monotonic() - start]).toEqual([[], 99]);
  machine.advance(1);
  expect(fired).toEqual(["a@100"]);
});

test("cancelled timers never fire, and close cancels all", async () => {
  const { machine, clock, fired, at } = rig();
  clock.after(10, at("a")).cancel();
  const b = clock.after(20, at("b"));
  clock.after(30, at("c"));
  await clock.advance(15);
  b.cancel();
  b.cancel();
  clock.close();
  machine.advance(100);
  await clock.advance(100);
  expect(fired).toEqual([]);
});

test("the cluster comes to rest between two things that fall due, and overlapping moves take turns", async () => {
  const machine = new FakeClock(0);
  const seen: string[] = [];
  const clock = createTestClock({
    machine,
    settle: async () => {
      await Promise.resolve();
      seen.push("rest");
    },
  });
  clock.after(1, () => seen.push("one"));
  clock.after(2, () => seen.push("two"));
  await Promise.all([clock.advance(1), clock.advance(1)]);
  expect(seen.join(" ")).toBe("rest one rest rest rest two rest rest");
  expect(clock.monotonic() - machine.monotonic()).toBe(2);
});

test("who waits for a moment gets there, however the fractions fall", async () => {
  const time = fc.double({ min: 0, max: 1e9, noNaN: true });
  await fc.assert(
    fc.asyncProperty(time, fc.array(fc.double({ min: 0, max: 1e4, noNaN: true }), { minLength: 1, maxLength: 5 }), async (start, waits) => {
      const clock = createTestClock({ settle: async () => undefined, machine: new FakeClock(start) });
      let looks = 0;
      let arrived = 0;
      for (const wait of waits) {
        const moment = clock.monotonic() + wait;
        const look = () => {
          looks++;
          if (clock.monotonic() >= moment) arrived++;
          else if (looks < 1000) clock.after(moment - clock.monotonic(), look);
        };
        clock.after(wait / 3, look);
      }
      await clock.advance(20_000);
      expect([arrived, looks < 1000]).toEqual([waits.length, true]);
    }),
  );
});
