import { expect, test } from "vitest";
import { FakeClock } from "../../lib/clock.ts";
import { parentGone } from "./parent-gone.ts";

test("a new parent is told once; a watch that ended tells nothing", () => {
  const clock = new FakeClock();
  let parent = 100;
  let told = 0;
  parentGone({ clock, parent: () => parent }, () => told++);
  clock.advance(10_000);
  expect(told).toBe(0);
  parent = 1;
  clock.advance(1000);
  expect([told, clock.pending]).toEqual([1, 0]);
  const stop = parentGone({ clock, parent: () => parent }, () => told++);
  stop();
  parent = 2;
  clock.advance(1000);
  expect(told).toBe(1);
});
