import * as fc from "fast-check";
import { expect, test } from "vitest";
import { StatusError } from "../../api/status.ts";
import { FakeClock } from "../../lib/clock.ts";
import { FairQueue, type Leave } from "./fair-queue.ts";

function queue(seats: number, waiting = 100) {
  const clock = new FakeClock();
  const seen = { taken: 0, waiting: 0, refused: [] as string[] };
  const fair = new FairQueue({
    seats,
    waiting,
    patience: 1000,
    clock,
    observe: (taken, queued) => Object.assign(seen, { taken, waiting: queued }),
    refused: (reason) => seen.refused.push(reason),
  });
  /** Who was let in, in order, with the way out of each. */
  const inside: { readonly client: string; readonly leave: Leave }[] = [];
  const refusals: string[] = [];
  const ask = async (client: string, isGone = () => false) => {
    try {
      inside.push({ client, leave: await fair.enter(client, isGone) });
    } catch (error) {
      refusals.push(client);
      expect(error).toBeInstanceOf(StatusError);
    }
  };
  return { clock, fair, seen, inside, refusals, ask };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("a flood takes three quarters; whoever comes later is served at once", async () => {
  const { inside, seen, ask } = queue(8);
  const asked = [...Array.from({ length: 50 }, () => ask("flood")), ask("polite")];
  await settled();
  expect(inside.map(({ client }) => client)).toEqual([...Array<string>(6).fill("flood"), "polite"]);
  expect(seen).toMatchObject({ taken: 7, waiting: 44 });
  for (let i = 0; i < inside.length; i++) {
    inside[i]?.leave();
    await settled();
  }
  await Promise.all(asked);
  expect(seen).toEqual({ taken: 0, waiting: 0, refused: [] });
});

test("a free seat goes to whoever has the fewest", async () => {
  const { inside, ask } = queue(2);
  void ask("a");
  void ask("b");
  await settled();
  for (const client of ["a", "a", "c"]) void ask(client);
  inside[1]?.leave();
  await settled();
  expect(inside.map(({ client }) => client)).toEqual(["a", "b", "c"]);
});

test("refuses what would wait too long, and what is too much", async () => {
  const { clock, seen, refusals, ask } = queue(1, 2);
  const asked = ["a", "a", "a", "a"].map((client) => ask(client));
  await settled();
  expect([refusals.length, seen.refused]).toEqual([1, ["queue-full"]]);
  clock.advance(1000);
  await Promise.all(asked);
  expect([refusals.length, seen.refused, seen.waiting]).toEqual([3, ["queue-full", "time-out", "time-out"], 0]);
});

test("whoever hung up takes nobody's seat, and leaving twice frees one", async () => {
  const { inside, seen, ask } = queue(1);
  void ask("a");
  await settled();
  void ask("b", () => true);
  void ask("c");
  inside[0]?.leave();
  inside[0]?.leave();
  await settled();
  expect(inside.map(({ client }) => client)).toEqual(["a", "b", "c"]);
  expect(seen.taken).toBe(1);
});

test("never more than there are, nothing lost, nobody starves", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("a", "b", "c", "leave"), { maxLength: 80 }),
      fc.integer({ min: 1, max: 5 }),
      async (steps, seats) => {
        const { inside, seen, ask } = queue(seats);
        let asked = 0;
        let left = 0;
        for (const step of steps) {
          if (step === "leave" && inside[left] !== undefined) inside[left++]?.leave();
          else if (step !== "leave") {
            asked += 1;
            void ask(step);
          }
          await Promise.resolve();
          expect(seen.taken).toBeLessThanOrEqual(seats);
        }
        await settled();
        for (; left < asked; left++) {
          expect(inside.length).toBeGreaterThan(left);
          inside[left]?.leave();
          await settled();
        }
        expect(seen).toMatchObject({ taken: 0, waiting: 0 });
      },
    ),
    { numRuns: 50 },
  );
});
