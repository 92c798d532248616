import fc from "fast-check";
import { expect, test } from "vitest";
import { Roster, type Membership } from "./roster.ts";

test("whoever comes and goes, it has those that a set would have", () => {
  const step = fc.record({ add: fc.boolean(), which: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const roster = new Roster<number>();
      const memberships: Membership<number>[] = [];
      const model = new Set<number>();
      for (const [index, { add, which }] of steps.entries()) {
        const membership = memberships[which % Math.max(1, memberships.length)];
        if (add || membership === undefined) {
          memberships.push(roster.add(index));
          model.add(index);
        } else {
          roster.remove(membership);
          model.delete(membership.member);
        }
        expect([...roster].toSorted((a, b) => a - b)).toEqual([...model]);
        expect(roster.size).toBe(model.size);
      }
    }),
  );
});

test("who leaves while the others are visited is not visited, and nobody is left out for it", () => {
  fc.assert(
    fc.property(fc.nat(12), fc.array(fc.tuple(fc.nat(12), fc.nat(12))), (count, pairs) => {
      const roster = new Roster<number>();
      const memberships = Array.from({ length: count }, (_, index) => roster.add(index));
      const left = new Set<number>();
      const visited = new Set<number>();
      for (const member of roster) {
        expect(left).not.toContain(member);
        visited.add(member);
        for (const [when, who] of pairs) {
          const leaves = memberships[who];
          if (when !== member || leaves === undefined) continue;
          roster.remove(leaves);
          left.add(who);
        }
      }
      expect([...visited, ...left].length).toBeGreaterThanOrEqual(count);
      expect(new Set([...visited, ...left]).size).toBe(count);
    }),
  );
});

test("after clear nobody is there, and who was may still leave", () => {
  const roster = new Roster<string>();
  const membership = roster.add("a");
  roster.clear();
  roster.add("b");
  roster.remove(membership);
  expect([...roster]).toEqual(["b"]);
});
