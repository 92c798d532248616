/** `backoffLimitPerIndex`, `maxFailedIndexes`, `FailIndex` and `successPolicy`, played through pass by pass. */
import { describe, expect, test } from "vitest";
import type { Job, JobStatus, Pod } from "../../api/types.ts";
import { indexOf } from "./indexes.ts";
import { isTracked } from "./job-pod.ts";
import { indexFailureCountKey } from "./per-index.ts";
import { planJob, type JobPlan } from "./reconcile.ts";

const start = Date.parse("2026-01-01T00:00:00Z");
type Spec = NonNullable<Job["spec"]>;

/** A Job and its pods, with what the controller's writes would make of them. */
class World {
  pods: Pod[] = [];
  status: JobStatus = {};
  now = start;
  #made = 0;
  readonly #spec: Partial<Spec>;

  constructor(spec: Partial<Spec>) {
    this.#spec = spec;
  }

  pass(seconds = 3600): JobPlan {
    this.now += seconds * 1000;
    const template = { spec: { restartPolicy: "Never", containers: [] } };
    const spec: Spec = { completions: 3, parallelism: 3, completionMode: "Indexed", backoffLimit: 2 ** 31 - 1, template, ...this.#spec };
    const job: Job = { metadata: { name: "pi", namespace: "default", uid: "uid-pi" }, spec, status: this.status };
    const plan = planJob(job, this.pods, this.now, () => 0.5);
    const released = new Set(plan.release);
    const removed = new Set([...plan.remove, ...plan.end]);
    this.pods = this.pods
      .filter((pod) => !removed.has(pod))
      .map((pod) => (released.has(pod) ? { ...pod, metadata: { ...pod.metadata, finalizers: [] } } : pod));
    for (const pod of plan.create) {
      const name = `p${++this.#made}`;
      const metadata = { ...pod.metadata, name, uid: name };
      this.pods.push({ ...pod, metadata, spec: { containers: [], ...pod.spec, nodeName: "n" }, status: { phase: "Running" } });
    }
    this.status = plan.status;
    return plan;
  }

  /** The running pod of the index ends. */
  end(index: number, exitCode: number): void {
    this.pods = this.pods.map((pod) => {
      if (indexOf(pod) !== index || pod.status?.phase !== "Running") return pod;
      const terminated = { exitCode, finishedAt: new Date(this.now).toISOString() };
      const container = { name: "c", image: "", imageID: "", ready: false, restartCount: 0, state: { terminated } };
      return { ...pod, status: { phase: exitCode === 0 ? "Succeeded" : "Failed", containerStatuses: [container] } };
    });
  }

  get running(): readonly string[] {
    return this.pods
      .filter(({ status }) => status?.phase === "Running")
      .map((pod) => `${indexOf(pod)}:${pod.metadata.annotations?.[indexFailureCountKey]}`)
      .sort();
  }

  get conditions(): readonly string[] {
    return (this.status.conditions ?? []).map(({ type, status, reason }) => `${type}=${status} ${reason}`);
  }
}

describe("backoffLimitPerIndex", () => {
  test("an index that fails too often is given up; the others go on; the Job has failed in the end", () => {
    const world = new World({ backoffLimitPerIndex: 1 });
    world.pass();
    expect(world.running).toEqual(["0:0", "1:0", "2:0"]);
    world.end(0, 1);
    world.end(1, 0);
    world.pass();
    expect(world.running).toEqual(["0:1", "2:0"]);
    world.end(0, 1);
    world.pass();
    expect([world.running, world.status.failedIndexes, world.conditions]).toEqual([["2:0"], "0", []]);
    world.end(2, 0);
    world.pass();
    expect(world.conditions).toEqual(["FailureTarget=True FailedIndexes", "Failed=True FailedIndexes"]);
    world.pass();
    expect(world.status).toMatchObject({ succeeded: 2, failed: 2, completedIndexes: "1,2", failedIndexes: "0" });
    expect(world.pods.filter(isTracked)).toEqual([]);
  });

  test("the failed pod keeps its finalizer, uncounted, until its successor carries the number on", () => {
    const world = new World({ backoffLimitPerIndex: 5, completions: 1 });
    world.pass();
    world.end(0, 1);
    const early = world.pass(1);
    // Ten seconds after the failure, not sooner.
    expect([early.create.length, early.againIn, world.status.failed]).toEqual([0, 9000, undefined]);
    expect(world.pods.filter(isTracked)).toHaveLength(1);
    world.pass(9);
    expect(world.running).toEqual(["0:1"]);
    world.pass();
    expect([world.status.failed, world.pods.filter(isTracked).length]).toEqual([1, 1]);
    world.end(0, 1);
    expect(world.pass(10).againIn).toBe(10_000);
  });

  test("each index waits for itself alone", () => {
    const world = new World({ backoffLimitPerIndex: 3, parallelism: 1 });
    world.pass();
    world.end(0, 1);
    world.pass(1);
    expect(world.running).toEqual(["1:0"]);
  });

  test("maxFailedIndexes ends the Job, and every failure is counted", () => {
    const world = new World({ backoffLimitPerIndex: 0, maxFailedIndexes: 1, completions: 5, parallelism: 5 });
    world.pass();
    for (const index of [0, 1]) world.end(index, 1);
    world.pass();
    expect(world.conditions).toContain("FailureTarget=True MaxFailedIndexesExceeded");
    expect(world.status).toMatchObject({ failed: 2, failedIndexes: "0,1" });
    expect(world.pods.filter(isTracked)).toEqual([]);
  });

  test.each([
    ["FailIndex", { failedIndexes: "0" }, ["1:0", "2:0"]],
    ["Ignore", { failedIndexes: "" }, ["0:0", "1:0", "2:0"]],
  ])("a rule of podFailurePolicy: %s", (action, status, running) => {
    const rule = { action, onExitCodes: { operator: "In", values: [42] } };
    const world = new World({ backoffLimitPerIndex: 4, podFailurePolicy: { rules: [rule] } });
    world.pass();
    world.end(0, 42);
    world.pass();
    expect(world.status).toMatchObject(status);
    expect(world.running).toEqual(running);
  });
});

describe("successPolicy", () => {
  test.each([
    ["one index", { succeededIndexes: "1" }, [1]],
    ["any two", { succeededCount: 2 }, [2, 0]],
    ["one of some", { succeededIndexes: "0-1", succeededCount: 1 }, [2, 0]],
  ])("%s is enough: what still runs is ended, and counts as nothing", (_, rule, ends) => {
    const world = new World({ successPolicy: { rules: [{ succeededIndexes: "9" }, rule] } });
    world.pass();
    for (const index of ends) {
      expect(world.conditions).toEqual([]);
      world.end(index, 0);
      world.pass();
    }
    expect(world.conditions[0]).toBe("SuccessCriteriaMet=True SuccessPolicy");
    expect(world.status.conditions?.[0]?.message).toBe("Matched rules at index 1");
    world.pass();
    expect(world.conditions[1]).toBe("Complete=True SuccessPolicy");
    expect([world.status.failed, world.status.succeeded, world.running]).toEqual([undefined, ends.length, []]);
  });
});
