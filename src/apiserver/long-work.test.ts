import { expect, test } from "vitest";
import { LongWork } from "./long-work.ts";

test("all who work long share a turn; others have theirs in between; nobody starves", async () => {
  let now = 0;
  const work = new LongWork(() => now);
  const log: string[] = [];
  const task = async (name: string, items: number) => {
    for (let i = 0; i < items; i++) {
      now += 1;
      log.push(name);
      if (work.isOver) await work.next();
    }
  };
  let turns = 0;
  let done = false;
  const count = (): void => {
    turns += 1;
    log.push("|");
    if (!done) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all([task("a", 6), task("b", 6)]);
  done = true;
  // No more than a slice and one item of each between two turns of somebody else.
  const stretches = log.join("").split("|");
  expect(Math.max(...stretches.map((one) => one.length))).toBeLessThanOrEqual(4);
  expect(log.filter((one) => one === "a")).toHaveLength(6);
  expect(turns).toBeGreaterThan(2);
  // Neither is done before the other has begun.
  expect(log.indexOf("b")).toBeLessThan(log.lastIndexOf("a"));
});

test("short work pauses nowhere", () => {
  const work = new LongWork(() => 0);
  expect([work.isOver, work.isOver]).toEqual([false, false]);
});
