import { expect, test } from "vitest";
import { pods } from "../api/resources.ts";
import { modifiedError } from "../api/status.ts";
import { createLogger } from "../lib/log.ts";
import { FakeClock } from "../lib/clock.ts";
import { createKeyController, type KeyQueue } from "./key-controller.ts";

function setUp(reconcile: (key: string) => Promise<void>) {
  const clock = new FakeClock();
  const lines: string[] = [];
  let queue: KeyQueue | undefined;
  let sync: () => void = () => undefined;
  const synced = new Promise<void>((resolve) => (sync = resolve));
  let watching = 0;
  const controller = createKeyController({
    name: "test",
    context: { clock, log: createLogger({ write: (line) => lines.push(line) }) },
    informers: [{ resource: pods, waitForSync: () => synced }],
    watch: (given) => {
      queue = given;
      watching += 1;
      return [() => (watching -= 1)];
    },
    turn: () => Promise.resolve(),
    reconcile,
  });
  return { clock, lines, controller, sync, add: (key: string) => queue?.add(key), watching: () => watching };
}

test("nothing is reconciled before the informers have synced", async () => {
  const done: string[] = [];
  const { controller, sync, clock, add } = setUp(async (key) => void done.push(key));
  await controller.start();
  add("a");
  await clock.advanceAsync(1000);
  expect(done).toEqual([]);
  expect(controller.ready()).toEqual({ ready: false, reason: "waiting for pods" });
  sync();
  await clock.advanceAsync(0);
  expect([done, controller.ready().ready]).toEqual([["a"], true]);
  await controller.stop();
});

test("one key that fails does not stop the others, and comes back later and later", async () => {
  const done: string[] = [];
  const { controller, sync, clock, lines, add } = setUp(async (key) => {
    done.push(key);
    if (key === "bad") throw new Error("cannot");
  });
  sync();
  await controller.start();
  add("bad");
  add("good");
  await clock.advanceAsync(0);
  expect(done).toEqual(["bad", "good"]);
  await clock.advanceAsync(5);
  await clock.advanceAsync(10);
  expect(done).toEqual(["bad", "good", "bad", "bad"]);
  expect(lines[0]).toContain("will try again key=bad retries=0 error=cannot");
  await controller.stop();
});

test("a conflict is tried again without alarm", async () => {
  let tries = 0;
  const { controller, sync, clock, lines, add } = setUp(async () => {
    if (++tries === 1) throw modifiedError(pods, "x");
  });
  sync();
  await controller.start();
  add("a");
  await clock.advanceAsync(5);
  expect([tries, lines]).toEqual([2, []]);
  await controller.stop();
});

test("stop before the informers have synced leaves nothing behind", async () => {
  const { controller, sync, watching } = setUp(async () => undefined);
  await controller.start();
  expect(watching()).toBe(1);
  const stopped = controller.stop();
  sync();
  await stopped;
  await controller.stop();
  expect(watching()).toBe(0);
});
