import fc from "fast-check";
import { expect, test } from "vitest";
import { Timers } from "./timers.ts";

test("what is due runs in order of its time, then of its making; what was cancelled does not", () => {
  const step = fc.record({ due: fc.integer({ min: 0, max: 50 }), cancelled: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 8 }), (steps, moments) => {
      const timers = new Timers();
      const ran: number[] = [];
      const handles = steps.map(({ due }, index) => timers.add(due, () => void ran.push(index)));
      steps.forEach(({ cancelled }, index) => {
        if (!cancelled) return;
        handles[index]?.cancel();
        handles[index]?.cancel();
      });
      for (const now of moments) timers.run(now);
      timers.run(100);
      const order = (now: number) => moments.findIndex((moment) => now <= moment);
      const turn = (due: number) => (order(due) < 0 ? moments.length : order(due));
      const wanted = steps
        .map(({ due, cancelled }, index) => ({ due, cancelled, index, turn: turn(due) }))
        .filter(({ cancelled }) => !cancelled)
        .sort((a, b) => a.turn - b.turn || a.due - b.due || a.index - b.index);
      expect(ran).toEqual(wanted.map(({ index }) => index));
      expect(timers.next).toBe(Number.POSITIVE_INFINITY);
    }),
  );
});

test("what a callback adds waits for the next call, and one may cancel another", () => {
  const timers = new Timers();
  const ran: string[] = [];
  const second = { cancel: () => {} };
  timers.add(1, () => {
    ran.push("first");
    timers.add(1, () => void ran.push("added"));
    second.cancel();
  });
  second.cancel = timers.add(2, () => void ran.push("second")).cancel;
  timers.run(5);
  expect(ran).toEqual(["first"]);
  timers.run(5);
  expect(ran).toEqual(["first", "added"]);
});
