import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextTime, utc } from "../../api/cron/next.ts";
import { parseCron, type CronSchedule } from "../../api/cron/parse.ts";
import type { CronJob, Job } from "../../api/types.ts";
import { lastDue } from "./due.ts";
import { planCronJob } from "./reconcile.ts";

type Spec = NonNullable<CronJob["spec"]>;

const template = { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x" }] } };
const cronJob = (spec: Partial<Spec> = {}, status: CronJob["status"] = {}): CronJob => ({
  metadata: { name: "tick", namespace: "default", uid: "uid-tick", creationTimestamp: "2026-01-01T00:00:30Z" },
  spec: { schedule: "*/10 * * * *", jobTemplate: { spec: { template } }, concurrencyPolicy: "Allow", ...spec },
  status,
});

function job(name: string, end?: "Complete" | "Failed", start = "2026-01-01T00:00:00Z"): Job {
  const conditions = end === undefined ? [] : [{ type: end, status: "True" }];
  return {
    metadata: { name, namespace: "default", uid: `uid-${name}` },
    status: { startTime: start, conditions, ...(end === "Complete" ? { completionTime: "2026-01-01T00:05:00Z" } : {}) },
  };
}

const active = (...names: readonly string[]) => ({ active: names.map((name) => ({ name, uid: `uid-${name}` })) });
const plan = (object: CronJob, jobs: readonly Job[], time: string) => planCronJob(object, jobs, Date.parse(time));
const reasons = ({ events }: ReturnType<typeof plan>) => events.map(({ reason }) => reason);

/** Minutes since the epoch at 2026-01-01T00:10:00Z. */
const tenPast = "tick-29453770";

describe("a run", () => {
  test("is made when it is due, with its minute in the name", () => {
    const { create, againIn } = plan(cronJob(), [], "2026-01-01T00:10:02Z");
    expect(create).toMatchObject({
      metadata: {
        name: tenPast,
        annotations: { "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T00:10:00Z" },
        ownerReferences: [{ kind: "CronJob", name: "tick", controller: true }],
      },
      spec: { template },
    });
    expect(againIn).toBe(598_000);
  });

  test.each<readonly [string, CronJob, readonly Job[], string]>([
    ["before it is due", cronJob(), [], "2026-01-01T00:09:59Z"],
    ["when it was made already", cronJob(), [job(tenPast)], "2026-01-01T00:10:02Z"],
    ["when the status knows of it", cronJob({}, { lastScheduleTime: "2026-01-01T00:10:00Z" }), [], "2026-01-01T00:10:02Z"],
    ["suspended", cronJob({ suspend: true }), [], "2026-01-01T00:10:02Z"],
    ["too late for it", cronJob({ startingDeadlineSeconds: 60 }), [], "2026-01-01T00:12:00Z"],
    ["with a schedule that cannot be read", cronJob({ schedule: "whenever" }), [], "2026-01-01T00:10:02Z"],
    ["in a zone that does not exist", cronJob({ timeZone: "Mars/Phobos" }), [], "2026-01-01T00:10:02Z"],
    ["while one runs, with Forbid", cronJob({ concurrencyPolicy: "Forbid" }, active("a")), [job("a")], "2026-01-01T00:10:02Z"],
  ])("is not made %s", (_, object, jobs, time) => {
    expect(plan(object, jobs, time).create).toBeUndefined();
  });

  test("takes the place of the one that runs, with Replace", () => {
    const result = plan(cronJob({ concurrencyPolicy: "Replace" }, active("a")), [job("a")], "2026-01-01T00:10:02Z");
    expect([result.replace.map(({ metadata }) => metadata.name), result.create?.metadata.name]).toEqual([["a"], tenPast]);
  });

  test("of those that were missed only the last one is made up for", () => {
    expect(plan(cronJob(), [], "2026-01-01T02:15:00Z").create?.metadata.annotations).toMatchObject({
      "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T02:10:00Z",
    });
    expect(reasons(plan(cronJob(), [], "2026-02-01T00:00:05Z"))).toEqual(["TooManyMissedTimes"]);
  });

  test.each([
    [{ schedule: "whenever" }, "UnparseableSchedule"],
    [{ timeZone: "Mars/Phobos" }, "UnknownTimeZone"],
  ])("says what it cannot read: %j", (spec, reason) => {
    expect(reasons(plan(cronJob(spec), [], "2026-01-01T00:10:02Z"))).toEqual([reason]);
  });
});

test("finished and missing Jobs leave the active list", () => {
  const result = plan(cronJob({ suspend: true }, active("a", "b", "c")), [job("a", "Complete"), job("b")], "2026-01-01T00:09:00Z");
  expect(result.status).toEqual({ ...active("b"), lastSuccessfulTime: "2026-01-01T00:05:00Z" });
  expect(reasons(result)).toEqual(["SawCompletedJob", "MissingJob"]);
});

test("the history keeps the youngest", () => {
  const jobs = [
    job("c1", "Complete", "2026-01-01T00:01:00Z"),
    job("c3", "Complete", "2026-01-01T00:03:00Z"),
    job("c2", "Complete", "2026-01-01T00:02:00Z"),
    job("f1", "Failed"),
    job("running"),
  ];
  const result = plan(cronJob({ successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0, suspend: true }), jobs, "2026-01-01T00:09:00Z");
  expect(result.forget.map(({ metadata }) => metadata.name)).toEqual(["c1", "c2", "f1"]);
});

describe("the last time that was due", () => {
  const schedule = (text: string) => (parseCron(text) as { readonly schedule: CronSchedule }).schedule;

  test("is the one that a walk over all of them ends at", () => {
    const start = fc.integer({ min: 0, max: 400 }).map((hours) => Date.parse("2026-03-01T00:00:30Z") + hours * 3_600_000);
    const text = fc.constantFrom("*/7 * * * *", "0 * * * *", "30 4 * * 1", "0 0 1 * *", "@every 25m");
    fc.assert(
      fc.property(text, start, fc.integer({ min: 0, max: 96 * 60 }), (line, earliest, minutes) => {
        const [found, now] = [schedule(line), earliest + minutes * 60_000];
        const all: number[] = [];
        for (let time = nextTime(found, earliest, utc); time !== undefined && time <= now; time = nextTime(found, time, utc))
          all.push(time);
        expect(lastDue(found, earliest, now, utc)).toEqual({ time: all.at(-1), missed: Math.min(all.length, 101) });
      }),
      { numRuns: 60 },
    );
  });

  test("costs little after years", () => {
    let looks = 0;
    const counting = (ms: number) => {
      looks++;
      return utc(ms);
    };
    const due = lastDue(schedule("* * * * *"), Date.parse("2016-01-01T00:00:00Z"), Date.parse("2026-01-01T00:00:30Z"), counting);
    expect(due).toEqual({ time: Date.parse("2026-01-01T00:00:00Z"), missed: 101 });
    expect(looks).toBeLessThan(1000);
  });
});
