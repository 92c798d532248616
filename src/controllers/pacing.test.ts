import { expect, test } from "vitest";
import { FakeClock } from "../lib/clock.ts";
import { Pacing } from "./pacing.ts";

/** `held`: what the work takes before it first waits; `waited`: after. */
function paced(held: number, waited = 0) {
  const clock = new FakeClock();
  let now = 0;
  const time = { monotonic: () => clock.monotonic() + now };
  const pacing = new Pacing(time);
  const work = async () => {
    now += held;
    await Promise.resolve();
    now += waited;
  };
  return { pacing, pass: (ms: number) => (now += ms), work };
}

test.each([
  ["what is quick may come again at once", 4.9, 0, 0],
  ["what holds the thread waits nine times as long", 20, 0, 180],
  ["waiting for others is no holding", 1, 400, 0],
  ["nobody waits longer than two seconds", 300, 0, 2000],
])("%s", async (_, held, waited, left) => {
  const { pacing, work } = paced(held, waited);
  await pacing.run("a", work);
  expect(pacing.left("a")).toBe(left);
  expect(pacing.left("b")).toBe(0);
});

test("after the wait it may come, and what fails is held as well", async () => {
  const { pacing, pass, work } = paced(10);
  const failing = async () => {
    await work();
    throw new Error("no");
  };
  await expect(pacing.run("a", failing)).rejects.toThrow("no");
  expect(pacing.left("a")).toBe(90);
  pass(90);
  expect(pacing.left("a")).toBe(0);
});
