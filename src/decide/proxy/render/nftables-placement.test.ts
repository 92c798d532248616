import fc from "fast-check";
import { expect, test } from "vitest";
import type { PlanEndpoint } from "../plan.ts";
import { place } from "./nftables-placement.ts";

const endpoint = (n: number, local = false): PlanEndpoint => ({
  kind: "endpoint",
  ip: `10.0.${n >> 8}.${n & 255}`,
  port: 80,
  local,
  ready: true,
  serving: true,
  terminating: false,
});
const set = fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { maxLength: 30 });

test("holds exactly the endpoints, without gaps, each with an id of its own", () => {
  fc.assert(
    fc.property(fc.array(set, { minLength: 1, maxLength: 8 }), (steps) => {
      let slots = place([], [], true);
      for (const step of steps) {
        slots = place(
          slots,
          step.map((n) => endpoint(n)),
          true,
        );
        expect(slots.map(({ ip }) => ip).sort()).toEqual(step.map((n) => endpoint(n).ip).sort());
        expect(new Set(slots.map(({ id }) => id)).size).toBe(slots.length);
      }
    }),
  );
});

test("an endpoint that stays keeps its id, and moves only into the gap of one that left", () => {
  fc.assert(
    fc.property(set, set, (before, after) => {
      const old = place(
        [],
        before.map((n) => endpoint(n)),
        true,
      );
      const next = place(
        old,
        after.map((n) => endpoint(n)),
        true,
      );
      const staying = old.filter(({ ip }) => next.some((slot) => slot.ip === ip));
      for (const slot of staying) expect(next.find(({ ip }) => ip === slot.ip)?.id).toBe(slot.id);
      const moved = staying.filter((slot) => next.findIndex(({ ip }) => ip === slot.ip) !== old.indexOf(slot));
      expect(moved.length).toBeLessThanOrEqual(old.length - staying.length);
    }),
  );
});

test("the very same array where nothing changes, another where an endpoint moves to this node", () => {
  const slots = place([], [endpoint(1), endpoint(2)], false);
  expect(place(slots, [endpoint(1), endpoint(2)], false)).toBe(slots);
  expect(place(slots, [endpoint(1), endpoint(2, true)], false).map(({ local }) => local)).toEqual([false, true]);
});

test("ids come with affinity, and stay when it goes", () => {
  const endpoints = [endpoint(1), endpoint(2)];
  const without = place([], endpoints, false);
  expect(without.map(({ id }) => id)).toEqual([0, 0]);
  const sticky = place(without, endpoints, true);
  expect(sticky.every(({ id }) => id > 0)).toBe(true);
  expect(place(sticky, endpoints, false)).toBe(sticky);
});
