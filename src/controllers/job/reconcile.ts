/** One pass over a Job: pods to make and to end, what is counted, and whether it is done (upstream `pkg/controller/job`). Pure. */
import type { Job, JobCondition, JobStatus, Pod } from "../../api/types.ts";
import { isPodFinished, isPodReady, isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { rfc3339 } from "../../lib/clock.ts";
import { choosePodsToDelete } from "../replicaset/rank.ts";
import { backOffLeft } from "./back-off.ts";
import { countPods, type Count } from "./counting.ts";
import { formatIndexes, indexOf, pendingIndexes } from "./indexes.ts";
import { indexedPod, isActive, isIndexed, jobPod } from "./job-pod.ts";
import { hasLimitPerIndex, indexStarts } from "./per-index.ts";
import { deadlineIn, findCondition, isFinished, verdictOf, withCondition, type Verdict } from "./verdict.ts";

/** Most pods made or deleted in one go (`MaxPodCreateDeletePerSync`). */
const burst = 500;

export interface PlannedEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

export interface JobPlan {
  readonly create: readonly Pod[];
  /** More than are wanted: they lose their finalizer first, and count as nothing. */
  readonly remove: readonly Pod[];
  /** Ended with the Job: they count as failed. */
  readonly end: readonly Pod[];
  /** Lose their finalizer, after `uncounted` stands in the status. */
  readonly release: readonly Pod[];
  readonly uncounted: Count["uncounted"];
  readonly status: JobStatus;
  readonly events: readonly PlannedEvent[];
  /** Look again after so many milliseconds: the deadline, or the end of a back-off. */
  readonly againIn?: number;
}

/** `pods`: those that the Job controls. `random` in [0, 1) decides between equal pods. */
export function planJob(job: Job, pods: readonly Pod[], now: number, random: () => number): JobPlan {
  const before = countPods(job, pods);
  const verdict = verdictOf(job, before, pods, now);
  const count = verdict.kind === "running" ? before : countPods(job, pods, true);
  const base = { release: count.release, uncounted: count.uncounted };
  if (isFinished(job) || job.metadata.deletionTimestamp !== undefined) return rest(job, count, pods);
  const started = withStart(job, now);
  const manage = verdict.kind === "running" ? managePods(started.job, count, pods, now, random) : { create: [], remove: [] };
  const end = verdict.kind === "failed" ? pods.filter(isActive) : [];
  const conditions = conclude(started.conditions, verdict, pods, now);
  const needless = verdict.kind === "succeeded" ? pods.filter(isActive).length : 0;
  const active = pods.filter(isActive).length + manage.create.length - manage.remove.length - end.length - needless;
  const againIn = earliest(deadlineIn(started.job, now), manage.wait);
  return {
    ...base,
    create: manage.create,
    // What a policy of success makes needless counts as nothing.
    remove: verdict.kind === "succeeded" ? pods.filter(isActive) : manage.remove,
    end,
    status: statusOf(started.job, count, pods, conditions, active, now),
    events: [...started.events, ...conclusion(conditions, verdict)],
    ...(againIn === undefined ? {} : { againIn }),
  };
}

/** Done, or going: whatever still carries the finalizer is let go. */
function rest(job: Job, { release }: Count, pods: readonly Pod[]): JobPlan {
  const pending = job.status?.uncountedTerminatedPods;
  const going = job.metadata.deletionTimestamp !== undefined;
  return {
    create: [],
    remove: going ? [] : pods.filter(isActive),
    end: [],
    release: going ? pods : release,
    uncounted: { succeeded: pending?.succeeded ?? [], failed: pending?.failed ?? [] },
    status: job.status ?? {},
    events: [],
  };
}

interface Started {
  readonly job: Job;
  readonly conditions: readonly JobCondition[];
  readonly events: readonly PlannedEvent[];
}

/** Start time and the `Suspended` condition: a Job that rests has no time, and gets a new one when it goes on. */
function withStart(job: Job, now: number): Started {
  const conditions = job.status?.conditions ?? [];
  const timed = (startTime: string | undefined): Job => {
    const { startTime: _, ...status } = job.status ?? {};
    return { ...job, status: { ...status, ...(startTime === undefined ? {} : { startTime }) } };
  };
  const suspended = findCondition(job, "Suspended")?.status;
  if (job.spec?.suspend === true) {
    const paused = withCondition(conditions, { type: "Suspended", status: "True", reason: "JobSuspended", message: "Job suspended" }, now);
    const event: PlannedEvent = { type: "Normal", reason: "Suspended", message: "Job suspended" };
    return { job: timed(undefined), conditions: paused, events: suspended === "True" ? [] : [event] };
  }
  if (suspended !== "True") return { job: timed(job.status?.startTime ?? rfc3339(now)), conditions, events: [] };
  const resumed = withCondition(conditions, { type: "Suspended", status: "False", reason: "JobResumed", message: "Job resumed" }, now);
  return { job: timed(rfc3339(now)), conditions: resumed, events: [{ type: "Normal", reason: "Resumed", message: "Job resumed" }] };
}

interface Managed {
  readonly create: readonly Pod[];
  readonly remove: readonly Pod[];
  readonly wait?: number;
}

function managePods(job: Job, count: Count, pods: readonly Pod[], now: number, random: () => number): Managed {
  const active = pods.filter(isActive);
  if (job.spec?.suspend === true) return { create: [], remove: active.slice(0, burst) };
  const wanted = wantActive(job, count, active.length);
  if (active.length > wanted) {
    const surplus = Math.min(burst, active.length - wanted);
    return { create: [], remove: choosePodsToDelete(active, active, surplus, now, random) };
  }
  const stale = surplusIndexes(job, count, active);
  if (stale.length > 0) return { create: [], remove: stale };
  const replaced = job.spec?.podReplacementPolicy === "Failed" ? pods.filter((pod) => isPodTerminating(pod) && !isPodFinished(pod)) : [];
  const missing = Math.min(burst, wanted - active.length - replaced.length);
  if (missing <= 0) return { create: [], remove: [] };
  if (hasLimitPerIndex(job)) return makeIndexes(job, count, missing, [...active, ...replaced], now);
  const wait = backOffLeft(pods, now);
  if (wait > 0) return { create: [], remove: [], wait };
  return { create: makePods(job, count, missing, [...active, ...replaced]), remove: [] };
}

/** Each index waits for itself. */
function makeIndexes(job: Job, count: Count, missing: number, present: readonly Pod[], now: number): Managed {
  const starts = indexStarts(job, count.failures, now);
  const taken = new Set([...present.flatMap((pod) => indexOf(pod) ?? []), ...count.failedIndexes]);
  const left = pendingIndexes(Number.POSITIVE_INFINITY, job.spec?.completions ?? 0, count.completedIndexes, taken);
  const waits = left.map((index) => starts.get(index)?.wait ?? 0);
  const create = left.filter((_, at) => waits[at] === 0).slice(0, missing);
  const wait = earliest(...waits);
  return {
    create: create.map((index) => indexedPod(job, index, starts.get(index)?.failures ?? 0)),
    remove: [],
    ...(wait === undefined ? {} : { wait }),
  };
}

function wantActive({ spec }: Job, { succeeded, failedIndexes }: Count, active: number): number {
  const parallelism = spec?.parallelism ?? 1;
  if (spec?.completions === undefined) return succeeded > 0 ? active : parallelism;
  return Math.max(0, Math.min(spec.completions - succeeded - failedIndexes.size, parallelism));
}

function makePods(job: Job, count: Count, missing: number, present: readonly Pod[]): readonly Pod[] {
  if (!isIndexed(job)) return Array.from({ length: missing }, () => jobPod(job));
  const taken = new Set(present.flatMap((pod) => indexOf(pod) ?? []));
  return pendingIndexes(missing, job.spec?.completions ?? 0, count.completedIndexes, taken).map((index) => indexedPod(job, index));
}

/** Two pods of one index, one that is done already, or one beyond the number of completions. */
function surplusIndexes(job: Job, { completedIndexes }: Count, active: readonly Pod[]): readonly Pod[] {
  if (!isIndexed(job)) return [];
  const seen = new Set<number>(completedIndexes);
  return active.filter((pod) => {
    const index = indexOf(pod);
    const fits = index !== undefined && index < (job.spec?.completions ?? 0) && !seen.has(index);
    if (fits) seen.add(index);
    return !fits;
  });
}

/** `Failed` and `Complete` come when the last pod is gone or done; until then the target is said (KEP-3939). */
function conclude(conditions: readonly JobCondition[], verdict: Verdict, pods: readonly Pod[], now: number): readonly JobCondition[] {
  if (verdict.kind === "running") return conditions;
  const { reason, message } = verdict;
  const [target, end] = verdict.kind === "failed" ? ["FailureTarget", "Failed"] : ["SuccessCriteriaMet", "Complete"];
  const aimed = withCondition(conditions, { type: target as string, status: "True", reason, message }, now);
  const over = pods.every(isPodFinished);
  return over ? withCondition(aimed, { type: end as string, status: "True", reason, message }, now) : aimed;
}

function conclusion(conditions: readonly JobCondition[], verdict: Verdict): readonly PlannedEvent[] {
  const over = conditions.some(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
  if (!over || verdict.kind === "running") return [];
  if (verdict.kind === "succeeded") return [{ type: "Normal", reason: "Completed", message: "Job completed" }];
  return [{ type: "Warning", reason: verdict.reason, message: verdict.message }];
}

function statusOf(
  job: Job,
  count: Count,
  pods: readonly Pod[],
  conditions: readonly JobCondition[],
  active: number,
  now: number,
): JobStatus {
  const complete = conditions.some(({ type, status }) => type === "Complete" && status === "True");
  const indexes = formatIndexes(count.completedIndexes);
  const { startTime } = job.status ?? {};
  return {
    ...(startTime === undefined ? {} : { startTime }),
    ...(complete ? { completionTime: rfc3339(now) } : {}),
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(active > 0 ? { active } : {}),
    ...(count.succeeded > 0 ? { succeeded: count.succeeded } : {}),
    ...(count.failed > 0 ? { failed: count.failed } : {}),
    ...(indexes === "" ? {} : { completedIndexes: indexes }),
    ...(hasLimitPerIndex(job) ? { failedIndexes: formatIndexes(count.failedIndexes) } : {}),
    terminating: pods.filter((pod) => isPodTerminating(pod) && !isPodFinished(pod)).length,
    ready: pods.filter((pod) => isActive(pod) && isPodReady(pod)).length,
    uncountedTerminatedPods: {},
  };
}

function earliest(...waits: readonly (number | undefined)[]): number | undefined {
  const known = waits.filter((wait) => wait !== undefined && wait > 0) as number[];
  return known.length === 0 ? undefined : Math.min(...known);
}
