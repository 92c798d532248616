import { describe, expect, test } from "vitest";
import { faults, stored, tableCells, warnings } from "./testing.ts";

const meta = { name: "pi", namespace: "default", uid: "uid-pi" };
const template = (spec: object = {}, labels: object = { app: "pi" }) => ({
  metadata: { labels },
  spec: { restartPolicy: "Never", containers: [{ name: "pi", image: "pi:1" }], ...spec },
});
const job = (spec: object = {}) => ({ metadata: meta, spec: { template: template(), ...spec } });
const cronJob = (spec: object = {}, metadata: object = meta) => ({
  metadata,
  spec: { schedule: "*/5 * * * *", jobTemplate: { spec: { template: template() } }, ...spec },
});

describe("Job", () => {
  test("defaults, and the selector that the server makes", () => {
    const object = stored("Job", job());
    expect(object).toMatchObject({
      metadata: { generation: 1, labels: { app: "pi" } },
      spec: {
        completions: 1,
        parallelism: 1,
        backoffLimit: 6,
        completionMode: "NonIndexed",
        suspend: false,
        podReplacementPolicy: "TerminatingOrFailed",
        selector: { matchLabels: { "batch.kubernetes.io/controller-uid": "uid-pi" } },
        template: {
          metadata: {
            labels: {
              app: "pi",
              "job-name": "pi",
              "controller-uid": "uid-pi",
              "batch.kubernetes.io/job-name": "pi",
              "batch.kubernetes.io/controller-uid": "uid-pi",
            },
          },
        },
      },
      status: {},
    });
    expect(stored("Job", structuredClone(object), object)).toEqual(object);
  });

  test("a work queue: parallelism without completions", () => {
    const object = stored("Job", job({ parallelism: 3 }));
    expect(object).not.toHaveProperty("spec.completions");
    expect(tableCells("Job", object)).toMatchObject({ Status: "Running", Completions: "0/1 of 3", Duration: "" });
  });

  test.each([
    ["Complete", { conditions: [{ type: "Complete", status: "True" }] }],
    ["Failed", { conditions: [{ type: "Failed", status: "True" }] }],
    ["Suspended", { conditions: [{ type: "Suspended", status: "True" }] }],
    ["Running", { conditions: [{ type: "Suspended", status: "False" }] }],
  ])("shows as %s", (text, status) => {
    const object = { ...stored("Job", job()), status };
    expect(tableCells("Job", object)).toHaveProperty("Status", text);
  });

  test("how long it took", () => {
    const status = { startTime: "2026-01-01T00:00:00Z", completionTime: "2026-01-01T00:01:05Z", succeeded: 1 };
    const object = { ...stored("Job", job()), status };
    expect(tableCells("Job", object)).toMatchObject({ Completions: "1/1", Duration: "65s" });
  });

  test.each([
    [
      "pods that never end",
      { template: template({ restartPolicy: "Always" }) },
      'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ],
    [
      "indexes without number",
      { completionMode: "Indexed", parallelism: 1 },
      "spec.completions: Required value: when completion mode is Indexed",
    ],
    [
      "another mode",
      { completionMode: "Random" },
      'spec.completionMode: Unsupported value: "Random": supported values: "Indexed", "NonIndexed"',
    ],
    ["a negative limit", { backoffLimit: -1 }, "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"],
    ["somebody else's selector", { selector: { matchLabels: { app: "pi" } }, manualSelector: false }, undefined],
    [
      "a rule about nothing",
      { podFailurePolicy: { rules: [{ action: "FailJob" }] } },
      "spec.podFailurePolicy.rules[0]: Invalid value: null: specifying one of OnExitCodes and OnPodConditions is required",
    ],
    [
      "a rule about success",
      { podFailurePolicy: { rules: [{ action: "FailJob", onExitCodes: { operator: "In", values: [0] } }] } },
      "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator",
    ],
  ])("refuses %s", (_, spec, fault) => {
    if (fault === undefined) expect(faults("Job", job(spec)).join()).toContain("`selector` not auto-generated");
    else expect(faults("Job", job(spec))).toEqual([fault]);
  });

  test("keeps its template, except where it runs while it has not begun", () => {
    const running = stored("Job", job());
    const moved = (old: object) => {
      const next = structuredClone(old) as { spec: { template: { spec: { nodeSelector?: object } } } };
      next.spec.template.spec.nodeSelector = { zone: "a" };
      return next;
    };
    expect(faults("Job", moved(running), running).join()).toContain("spec.template: Invalid value");
    const suspended = stored("Job", job({ suspend: true }));
    expect(faults("Job", moved(suspended), suspended)).toEqual([]);
  });

  test("an indexed Job may grow", () => {
    const old = stored("Job", job({ completionMode: "Indexed", completions: 2, parallelism: 2 }));
    const sized = (completions: number, parallelism: number) => {
      const next = structuredClone(old) as unknown as { spec: { completions: number; parallelism: number } };
      Object.assign(next.spec, { completions, parallelism });
      return next;
    };
    expect(faults("Job", sized(4, 4), old)).toEqual([]);
    expect(faults("Job", sized(4, 2), old)).toEqual(["spec.completions: Invalid value: 4: field is immutable"]);
  });

  test("says nothing against limits of an index", () => {
    expect(warnings("Job", job({ completionMode: "Indexed", completions: 2, backoffLimitPerIndex: 1 }))).toEqual([]);
  });
});

describe("CronJob", () => {
  test("defaults and columns", () => {
    const object = stored("CronJob", cronJob({ timeZone: "Europe/Berlin" }));
    expect(object).toMatchObject({
      spec: { concurrencyPolicy: "Allow", suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 },
    });
    expect(object).not.toHaveProperty("spec.jobTemplate.spec.completions");
    expect(tableCells("CronJob", object)).toMatchObject({
      Schedule: "*/5 * * * *",
      Timezone: "Europe/Berlin",
      Suspend: "False",
      Active: 0,
      "Last Schedule": "<none>",
    });
  });

  test.each([
    ["no schedule", { schedule: "" }, "spec.schedule: Required value"],
    ["four fields", { schedule: "* * * *" }, 'spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]'],
    [
      "a zone in the schedule",
      { schedule: "TZ=UTC * * * * *" },
      'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ],
    ["an unknown zone", { timeZone: "Mars/Phobos" }, 'spec.timeZone: Invalid value: "Mars/Phobos": unknown time zone Mars/Phobos'],
    [
      "the local zone",
      { timeZone: "Local" },
      'spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
    ],
    [
      "another policy",
      { concurrencyPolicy: "Wait" },
      'spec.concurrencyPolicy: Unsupported value: "Wait": supported values: "Allow", "Forbid", "Replace"',
    ],
    [
      "a selector",
      { jobTemplate: { spec: { template: template(), manualSelector: true } } },
      'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "false", "nil"',
    ],
  ])("refuses %s", (_, spec, fault) => {
    expect(faults("CronJob", cronJob(spec))).toEqual([fault]);
  });

  test("refuses a name that leaves its Jobs no room", () => {
    expect(faults("CronJob", cronJob({}, { ...meta, name: "n".repeat(53) }))).toEqual([
      `metadata.name: Invalid value: "${"n".repeat(53)}": must be no more than 52 characters`,
    ]);
  });
});
