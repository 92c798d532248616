/** The promise of the finalizer: whenever this program dies, and whoever deletes pods, each pod counts exactly once. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Job, JobStatus, Pod } from "../../api/types.ts";
import { isTracked } from "./job-pod.ts";
import { planJob, type JobPlan } from "./reconcile.ts";

const start = Date.parse("2026-01-01T00:00:00Z");
const tenMinutes = 600_000;

interface World {
  status: JobStatus;
  pods: Pod[];
  made: number;
  readonly succeeded: Set<string>;
  readonly failed: Set<string>;
}

const jobOf = (status: JobStatus, completions: number, parallelism: number, indexed: boolean): Job => ({
  metadata: { name: "pi", namespace: "default", uid: "uid-pi" },
  spec: {
    completions,
    parallelism,
    backoffLimit: 1000,
    completionMode: indexed ? "Indexed" : "NonIndexed",
    template: { spec: { restartPolicy: "Never", containers: [] } },
  },
  status,
});

/** Without its finalizer; one that was deleted is gone then. */
const released = (pod: Pod): readonly Pod[] =>
  pod.metadata.deletionTimestamp === undefined ? [{ ...pod, metadata: { ...pod.metadata, finalizers: [] } }] : [];

/** The writes of one pass, in the order of `finalize.ts`; the program dies before the one numbered `diesAt`. */
function write(world: World, plan: JobPlan, diesAt: number): void {
  let at = 0;
  const alive = () => at++ < diesAt;
  const { uncounted } = plan;
  if (plan.release.some(isTracked) && uncounted.succeeded.length + uncounted.failed.length > 0) {
    if (!alive()) return;
    world.status = { ...world.status, uncountedTerminatedPods: uncounted };
  }
  for (const { metadata } of [...plan.release, ...plan.remove]) {
    if (!alive()) return;
    world.pods = world.pods.flatMap((pod) => (pod.metadata.name === metadata.name ? released(pod) : [pod]));
  }
  const removed = new Set(plan.remove.map(({ metadata }) => metadata.name));
  world.pods = world.pods.filter(({ metadata }) => !removed.has(metadata.name));
  for (const pod of plan.create) {
    if (!alive()) return;
    const name = `p${++world.made}`;
    world.pods.push({
      ...pod,
      metadata: { ...pod.metadata, name, uid: name },
      spec: { containers: [], ...pod.spec, nodeName: "n" },
      status: { phase: "Running" },
    });
  }
  if (alive()) world.status = plan.status;
}

type Fate = "succeed" | "fail" | "delete" | "collect" | "wait";

/** What happens to a pod between two passes. */
function happen(world: World, index: number, fate: Fate, now: number): void {
  const pod = world.pods[index % Math.max(1, world.pods.length)];
  if (pod === undefined) return;
  const { name = "" } = pod.metadata;
  const running = pod.status?.phase === "Running" && pod.metadata.deletionTimestamp === undefined;
  const replaceWith = (next: Pod | undefined) =>
    (world.pods = world.pods.flatMap((one) => (one.metadata.name !== name ? [one] : next === undefined ? [] : [next])));
  if (fate === "succeed" && running) {
    world.succeeded.add(name);
    replaceWith({ ...pod, status: { phase: "Succeeded" } });
  } else if (fate === "fail" && running) {
    world.failed.add(name);
    const finishedAt = new Date(now).toISOString();
    replaceWith({
      ...pod,
      status: {
        phase: "Failed",
        containerStatuses: [
          { name: "c", image: "", imageID: "", ready: false, restartCount: 0, state: { terminated: { exitCode: 1, finishedAt } } },
        ],
      },
    });
  } else if (fate === "delete" && running) {
    // Somebody deletes it: it stays for its finalizer, and counts as failed.
    world.failed.add(name);
    replaceWith({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: new Date(now).toISOString() } });
  } else if (fate === "collect" && !running && !isTracked(pod)) replaceWith(undefined);
}

const round = fc.record({
  diesAt: fc.oneof(fc.constant(1000), fc.nat(6)),
  fates: fc.array(fc.tuple(fc.nat(9), fc.constantFrom<Fate>("succeed", "fail", "delete", "collect", "wait")), { maxLength: 5 }),
});

test("each pod counts once", () => {
  const shape = fc.record({
    completions: fc.integer({ min: 1, max: 6 }),
    parallelism: fc.integer({ min: 1, max: 4 }),
    indexed: fc.boolean(),
  });
  fc.assert(
    fc.property(shape, fc.array(round, { maxLength: 25 }), ({ completions, parallelism, indexed }, rounds) => {
      const world: World = { status: {}, pods: [], made: 0, succeeded: new Set(), failed: new Set() };
      let now = start;
      const pass = (diesAt: number) => {
        now += tenMinutes;
        const job = jobOf(world.status, completions, parallelism, indexed);
        write(
          world,
          planJob(job, world.pods, now, () => 0.5),
          diesAt,
        );
      };
      for (const { diesAt, fates } of rounds) {
        pass(diesAt);
        for (const [index, fate] of fates) happen(world, index, fate, now);
      }
      // Left alone, it ends: whatever runs succeeds.
      for (let more = 0; more < 40; more++) {
        pass(1000);
        for (let index = 0; index < world.pods.length; index++) happen(world, index, "succeed", now);
      }
      const { conditions = [], succeeded = 0, failed = 0, uncountedTerminatedPods } = world.status;
      expect(conditions.some(({ type, status }) => type === "Complete" && status === "True")).toBe(true);
      expect(failed).toBe(world.failed.size);
      if (indexed) expect(succeeded).toBe(completions);
      else expect(succeeded).toBe(world.succeeded.size);
      expect(succeeded).toBeGreaterThanOrEqual(completions);
      expect(uncountedTerminatedPods).toEqual({});
      expect(world.pods.filter(isTracked)).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
