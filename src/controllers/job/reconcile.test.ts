import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Job, JobStatus, Pod } from "../../api/types.ts";
import { backOffLeft } from "./back-off.ts";
import { formatIndexes, parseIndexes } from "./indexes.ts";
import { indexedPod, jobPod, trackingFinalizer } from "./job-pod.ts";
import { planJob } from "./reconcile.ts";
import { expiresIn } from "./ttl.ts";

const now = Date.parse("2026-01-01T01:00:00Z");

type Spec = NonNullable<Job["spec"]>;

const template = {
  metadata: { labels: { "batch.kubernetes.io/job-name": "pi" } },
  spec: { restartPolicy: "Never", containers: [{ name: "pi", image: "pi:1" }] },
};

const testJob = (spec: Partial<Spec> = {}, status: JobStatus = {}): Job => ({
  metadata: { name: "pi", namespace: "default", uid: "uid-pi", generation: 1 },
  spec: { completions: 1, parallelism: 1, backoffLimit: 6, podReplacementPolicy: "TerminatingOrFailed", template, ...spec },
  status: { startTime: "2026-01-01T00:00:00Z", ...status },
});

interface Facts {
  readonly index?: number;
  readonly going?: boolean;
  readonly counted?: boolean;
  readonly ended?: string;
  readonly exitCode?: number;
  readonly restarts?: number;
  readonly ready?: boolean;
}

function pod(name: string, phase: string, facts: Facts = {}): Pod {
  const made = facts.index === undefined ? jobPod(testJob()) : indexedPod(testJob(), facts.index);
  const exitCode = facts.exitCode ?? (phase === "Failed" ? 1 : 0);
  const done = phase === "Failed" || phase === "Succeeded";
  const state = done ? { terminated: { exitCode, finishedAt: facts.ended ?? "2026-01-01T00:00:10Z" } } : { running: {} };
  return {
    ...made,
    metadata: {
      ...made.metadata,
      name,
      uid: `uid-${name}`,
      finalizers: facts.counted === true ? [] : [trackingFinalizer],
      ...(facts.going === true ? { deletionTimestamp: "2026-01-01T01:00:30Z" } : {}),
    },
    spec: { containers: [], ...made.spec, nodeName: "n" },
    status: {
      phase,
      conditions: [{ type: "Ready", status: facts.ready === true ? "True" : "False" }],
      containerStatuses: [{ name: "pi", image: "", imageID: "", ready: false, restartCount: facts.restarts ?? 0, state }],
    },
  };
}

const plan = (job: Job, pods: readonly Pod[]) => planJob(job, pods, now, () => 0.5);
const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name).join(" ");
const conditions = (status: JobStatus) =>
  (status.conditions ?? []).map(({ type, status: is, reason }) => `${type}=${is}:${reason}`).join(" ");

describe("how many pods", () => {
  test.each<readonly [string, Partial<Spec>, readonly Pod[], number, string]>([
    ["the first", {}, [], 1, ""],
    ["no more than in parallel", { completions: 5, parallelism: 2 }, [], 2, ""],
    ["no more than are left", { completions: 5, parallelism: 4 }, ["a", "b", "c"].map((name) => pod(name, "Succeeded")), 2, ""],
    ["a pod that runs counts", { completions: 5, parallelism: 2 }, [pod("a", "Running")], 1, ""],
    ["too many", { completions: 5, parallelism: 1 }, [pod("a", "Running"), pod("b", "Pending")], 0, "b"],
    ["a work queue", { completions: undefined, parallelism: 3 }, [], 3, ""],
    [
      "a work queue that has its answer starts no more",
      { completions: undefined, parallelism: 3 },
      [pod("a", "Succeeded"), pod("b", "Running")],
      0,
      "",
    ],
    ["one that rests", { suspend: true }, [pod("a", "Running")], 0, "a"],
    ["nothing in parallel", { parallelism: 0 }, [pod("a", "Running")], 0, "a"],
    ["one that is going is replaced at once", {}, [pod("a", "Running", { going: true })], 1, ""],
    ["or when it has ended", { podReplacementPolicy: "Failed" }, [pod("a", "Running", { going: true })], 0, ""],
  ])("%s", (_, spec, pods, create, remove) => {
    const result = plan(testJob(spec), pods);
    expect([result.create.length, names(result.remove)]).toEqual([create, remove]);
  });
});

describe("an indexed Job", () => {
  const indexed = (completions: number, parallelism: number, completedIndexes?: string) =>
    testJob({ completionMode: "Indexed", completions, parallelism }, completedIndexes === undefined ? {} : { completedIndexes });

  test("makes the lowest indexes that are neither done nor taken", () => {
    const { create } = plan(indexed(6, 4, "0,2"), [pod("b", "Running", { index: 1 })]);
    expect(create.map(({ metadata }) => metadata.generateName)).toEqual(["pi-3-", "pi-4-", "pi-5-"]);
    expect(create[0]).toMatchObject({
      metadata: { annotations: { "batch.kubernetes.io/job-completion-index": "3" }, finalizers: [trackingFinalizer] },
      spec: { hostname: "pi-3", containers: [{ env: [{ name: "JOB_COMPLETION_INDEX" }] }] },
    });
  });

  test("counts each index once", () => {
    const pods = [
      pod("a", "Succeeded", { index: 0 }),
      pod("a2", "Succeeded", { index: 0 }),
      pod("b", "Succeeded", { index: 1, counted: true }),
    ];
    expect(plan(indexed(3, 3, "1"), pods).status).toMatchObject({ succeeded: 2, completedIndexes: "0,1" });
  });

  test("ends a second pod of one index, and one beyond", () => {
    const pods = [pod("a", "Running", { index: 0 }), pod("b", "Running", { index: 0 }), pod("c", "Running", { index: 7 })];
    expect(names(plan(indexed(3, 3), pods).remove)).toBe("b c");
  });

  test("is complete with its last index", () => {
    const { status } = plan(indexed(2, 2, "0"), [pod("b", "Succeeded", { index: 1 })]);
    expect(status).toMatchObject({ completedIndexes: "0,1", succeeded: 2 });
    expect(conditions(status)).toContain("Complete=True");
  });
});

describe("how it ends", () => {
  test("well", () => {
    const { status, events, release } = plan(testJob(), [pod("a", "Succeeded")]);
    expect(conditions(status)).toBe("SuccessCriteriaMet=True:CompletionsReached Complete=True:CompletionsReached");
    expect(status).toMatchObject({ succeeded: 1, completionTime: "2026-01-01T01:00:00Z" });
    expect(events).toEqual([{ type: "Normal", reason: "Completed", message: "Job completed" }]);
    expect(names(release)).toBe("a");
  });

  test("after too many failures: first the pods end, then it has failed", () => {
    const job = testJob({ backoffLimit: 1, completions: 2, parallelism: 2 }, { failed: 1 });
    const first = plan(job, [pod("a", "Failed"), pod("b", "Running")]);
    expect([names(first.end), conditions(first.status), first.events]).toEqual(["b", "FailureTarget=True:BackoffLimitExceeded", []]);
    const later = plan({ ...job, status: first.status }, [pod("a", "Failed", { counted: true }), pod("b", "Failed")]);
    expect(conditions(later.status)).toBe("FailureTarget=True:BackoffLimitExceeded Failed=True:BackoffLimitExceeded");
    expect(later.status.failed).toBe(3);
    expect(later.events[0]?.reason).toBe("BackoffLimitExceeded");
  });

  test("past its deadline", () => {
    const { end, status } = plan(testJob({ activeDeadlineSeconds: 60 }), [pod("a", "Running")]);
    expect([names(end), conditions(status)]).toEqual(["a", "FailureTarget=True:DeadlineExceeded"]);
    expect(plan(testJob({ activeDeadlineSeconds: 7200 }), [pod("a", "Running")]).againIn).toBe(3_600_000);
  });

  test("restarts count where containers are started again", () => {
    const again = { ...template, spec: { ...template.spec, restartPolicy: "OnFailure" } };
    expect(conditions(plan(testJob({ template: again, backoffLimit: 3 }), [pod("a", "Running", { restarts: 2 })]).status)).toBe("");
    expect(conditions(plan(testJob({ template: again, backoffLimit: 3 }), [pod("a", "Running", { restarts: 3 })]).status)).toContain(
      "BackoffLimitExceeded",
    );
  });

  test.each<readonly [string, object, number, string]>([
    [
      "FailJob",
      { action: "FailJob", onExitCodes: { operator: "In", values: [42] } },
      1,
      "FailureTarget=True:PodFailurePolicy Failed=True:PodFailurePolicy",
    ],
    ["Ignore", { action: "Ignore", onExitCodes: { operator: "NotIn", values: [1] } }, 0, ""],
    ["another code", { action: "FailJob", onExitCodes: { operator: "In", values: [7] } }, 1, ""],
    ["Count", { action: "Count", onPodConditions: [{ type: "Ready", status: "False" }] }, 1, ""],
  ])("podFailurePolicy: %s", (_, rule, failed, wanted) => {
    const job = testJob({ podFailurePolicy: { rules: [rule as never] } });
    const { status } = plan(job, [pod("a", "Failed", { exitCode: 42 })]);
    expect([status.failed ?? 0, conditions(status)]).toEqual([failed, wanted]);
  });

  test("once it has, nothing happens any more", () => {
    const status: JobStatus = { conditions: [{ type: "Complete", status: "True" }], succeeded: 1 };
    expect(plan(testJob({}, status), [])).toMatchObject({ create: [], remove: [], status: { succeeded: 1 } });
  });
});

describe("suspended and resumed", () => {
  test("it loses its start time, and gets a new one", () => {
    const paused = plan(testJob({ suspend: true }), []);
    expect(conditions(paused.status)).toBe("Suspended=True:JobSuspended");
    expect(paused.status).not.toHaveProperty("startTime");
    const resumed = plan({ ...testJob(), status: paused.status }, []);
    expect(resumed.status).toMatchObject({ startTime: "2026-01-01T01:00:00Z", conditions: [{ type: "Suspended", status: "False" }] });
    expect(resumed.create).toHaveLength(1);
    expect([...paused.events, ...resumed.events].map(({ reason }) => reason)).toEqual(["Suspended", "Resumed"]);
  });
});

describe("each pod counts once", () => {
  test("one that ended and was let go before the count was written", () => {
    const status: JobStatus = { succeeded: 1, uncountedTerminatedPods: { succeeded: ["uid-a"], failed: ["uid-b"] } };
    const job = testJob({ completions: 5, parallelism: 0 }, status);
    expect(plan(job, [pod("a", "Succeeded", { counted: true })]).status).toMatchObject({
      succeeded: 2,
      failed: 1,
      uncountedTerminatedPods: {},
    });
  });

  test("one that is noted and still held", () => {
    const job = testJob({ completions: 5, parallelism: 0 }, { uncountedTerminatedPods: { succeeded: ["uid-a"] } });
    const result = plan(job, [pod("a", "Succeeded")]);
    expect(result.status.succeeded).toBe(1);
    expect(names(result.release)).toBe("a");
  });

  test("one that somebody deleted counts as failed", () => {
    const result = plan(testJob({ completions: 5, parallelism: 0 }), [pod("a", "Running", { going: true })]);
    expect([result.status.failed, names(result.release)]).toEqual([1, "a"]);
  });

  test("a Job that is going lets all its pods go", () => {
    const job = testJob();
    const going = { ...job, metadata: { ...job.metadata, deletionTimestamp: "2026-01-01T00:59:00Z" } };
    expect(names(plan(going, [pod("a", "Running")]).release)).toBe("a");
  });
});

test.each([
  [[], 0],
  [[pod("a", "Failed", { ended: "2026-01-01T00:59:55Z" })], 5000],
  [[pod("a", "Failed", { ended: "2026-01-01T00:59:55Z" }), pod("b", "Failed", { ended: "2026-01-01T00:59:45Z" })], 15_000],
  [[pod("a", "Failed", { ended: "2026-01-01T00:59:55Z" }), pod("b", "Succeeded", { ended: "2026-01-01T00:59:56Z" })], 0],
  [Array.from({ length: 20 }, (_, i) => pod(`p${i}`, "Failed", { ended: "2026-01-01T01:00:00Z" })), 600_000],
])("back-off after failures (%#)", (pods, wait) => {
  expect(backOffLeft(pods, now)).toBe(wait);
});

test("a finished Job goes when its time to live is over", () => {
  const ended = (ttl?: number) =>
    testJob(ttl === undefined ? {} : { ttlSecondsAfterFinished: ttl }, {
      conditions: [{ type: "Failed", status: "True", lastTransitionTime: "2026-01-01T00:59:30Z" }],
    });
  expect([
    expiresIn(ended(), now),
    expiresIn(ended(60), now),
    expiresIn(ended(30), now),
    expiresIn(testJob({ ttlSecondsAfterFinished: 0 }), now),
  ]).toEqual([undefined, 30_000, 0, undefined]);
});

describe("indexes as text", () => {
  test.each([
    ["", []],
    ["1", [1]],
    ["1,2", [1, 2]],
    ["0-2,4,6,7", [0, 1, 2, 4, 6, 7]],
  ])("%j", (text, indexes) => {
    expect(formatIndexes(new Set(indexes))).toBe(text);
    expect([...parseIndexes(text, 100)]).toEqual(indexes);
  });

  test("round trip", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(500)), (indexes) => {
        const sorted = [...indexes].sort((a, b) => a - b);
        expect([...parseIndexes(formatIndexes(new Set(indexes)), 501)]).toEqual(sorted);
      }),
    );
  });

  test("any text is read, and none costs more than the Job has indexes", () => {
    fc.assert(fc.property(fc.string(), (text) => parseIndexes(text, 10).size <= 10));
    expect(parseIndexes("0-999999999", 5).size).toBe(5);
  });
});
