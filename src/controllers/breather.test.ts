import { expect, test } from "vitest";
import { FakeClock } from "../lib/clock.ts";
import { Breather } from "./breather.ts";

test("the event loop comes round when the share is used up, and not before", async () => {
  const clock = new FakeClock();
  let turns = 0;
  const breather = new Breather(clock, async () => void turns++);
  await breather.pause();
  expect(turns).toBe(0);
  clock.advance(3);
  await breather.pause();
  await breather.pause();
  expect(turns).toBe(1);
});

test("timers run while much is done", async () => {
  const breather = new Breather({ monotonic: () => performance.now() });
  const rung: string[] = [];
  setTimeout(() => rung.push("timer"), 1);
  // Ends only if it lets the timer ring.
  while (rung.length === 0) await breather.pause();
  expect(rung).toEqual(["timer"]);
});
