import { assert, property, string } from "fast-check";
import { expect, test } from "vitest";
import { FakeClock } from "../../lib/clock.ts";
import { parseStat, readProcesses, usageOfTrees } from "./process-table.ts";
import { UsageMeter } from "./usage-meter.ts";

const stat = (pid: number, parent: number, ticks: readonly number[], pages: number, name = "x") =>
  `${pid} (${name}) S ${parent} 1 1 0 -1 4194304 1 2 3 4 ${ticks.join(" ")} 20 0 1 0 100 5000 ${pages} 18446744073709551615\n`;

test("a line of the process table, also of a program with an evil name", () => {
  const row = { pid: 7, parent: 3, cpuNanoseconds: 100_000_000, residentBytes: 8192 };
  expect(parseStat(stat(7, 3, [1, 2, 3, 4], 2), 4096)).toEqual(row);
  expect(parseStat(stat(7, 3, [1, 2, 3, 4], 2, "a) S 1 (b"), 4096)).toEqual(row);
  expect(parseStat("", 4096)).toBeUndefined();
  assert(property(string(), (text) => (parseStat(text, 4096)?.pid ?? 1) > 0));
});

test("a container is its first process with all that descend from it, in whatever order they come, and no circle", () => {
  const row = (pid: number, parent: number) => ({ pid, parent, cpuNanoseconds: 1, residentBytes: 10 });
  const rows = [row(5, 4), row(4, 2), row(2, 1), row(3, 1), row(8, 9), row(9, 8)];
  expect(usageOfTrees(rows, [2, 3, 8, 77])).toEqual(
    new Map([
      [2, { cpuNanoseconds: 3, memoryBytes: 30 }],
      [3, { cpuNanoseconds: 1, memoryBytes: 10 }],
      [8, { cpuNanoseconds: 2, memoryBytes: 20 }],
    ]),
  );
});

test("this process is in the table of this machine", async (ctx) => {
  if (process.platform !== "linux") ctx.skip("needs /proc");
  const own = (await readProcesses()).find(({ pid }) => pid === process.pid);
  expect(own?.parent).toBe(process.ppid);
  expect(own?.residentBytes).toBeGreaterThan(2 ** 20);
});

test("the rate counts since the start at first, then between looks that are not too close", async () => {
  const clock = new FakeClock(0);
  const meter = new UsageMeter(clock);
  const of = (cpuMs: number) => meter.rate({ id: "a", startedAt: 0 }, { cpuNanoseconds: cpuMs * 1e6, memoryBytes: 5 });
  await clock.advanceAsync(10_000);
  expect(of(1000)).toEqual({ cpuNanoCores: 100_000_000, memoryBytes: 5, windowMs: 10_000 });
  await clock.advanceAsync(1000);
  expect(of(1100)).toMatchObject({ windowMs: 11_000, cpuNanoCores: 100_000_000 });
  await clock.advanceAsync(5000);
  expect(of(4000)).toMatchObject({ windowMs: 6000, cpuNanoCores: 500_000_000 });
  meter.keep(new Set());
  expect(of(4000)).toMatchObject({ windowMs: 16_000 });
});
