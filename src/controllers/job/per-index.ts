/**
 * `backoffLimitPerIndex`: each index of a Job may fail so often, whatever becomes of the others (KEP-3850; upstream
 * `pkg/controller/job/indexed_job_utils.go`, `backoff_utils.go`). How often an index has failed stands in an annotation of its newest pod: the
 * last one that failed keeps its finalizer, and is not counted, until its successor carries the number on. Pure.
 */
import type { Job, Pod } from "../../api/types.ts";
import { indexBackOffLeft } from "./back-off.ts";
import { actionFor } from "./failure-policy.ts";
import { indexOf, parseIndexes } from "./indexes.ts";

export const indexFailureCountKey = "batch.kubernetes.io/job-index-failure-count";

export const hasLimitPerIndex = ({ spec }: Job): boolean => spec?.backoffLimitPerIndex !== undefined;

/** How often the index of the pod had failed when it was made. */
export function failuresBefore({ metadata }: Pod): number {
  const text = metadata.annotations?.[indexFailureCountKey] ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}

function failuresWith(job: Job, pod: Pod): number {
  return failuresBefore(pod) + (actionFor(job, pod).kind === "ignore" ? 0 : 1);
}

/** Of each index the failed pod that carries the highest number. */
export function lastFailures(failed: readonly Pod[]): ReadonlyMap<number, Pod> {
  const last = new Map<number, Pod>();
  for (const pod of failed) {
    const index = indexOf(pod);
    const known = index === undefined ? undefined : last.get(index);
    if (index !== undefined && (known === undefined || failuresBefore(pod) >= failuresBefore(known))) last.set(index, pod);
  }
  return last;
}

/** Those that failed too often, or by a rule `FailIndex`, with those that the status names; `failed`: pods that have ended without success. */
export function failedIndexes(job: Job, failed: readonly Pod[]): ReadonlySet<number> {
  const limit = job.spec?.backoffLimitPerIndex;
  if (limit === undefined) return new Set();
  const completions = job.spec?.completions ?? 0;
  const found = new Set(parseIndexes(job.status?.failedIndexes, completions));
  for (const pod of failed) {
    const index = indexOf(pod);
    if (index === undefined || index >= completions) continue;
    const { kind } = actionFor(job, pod);
    if (kind === "failIndex" || (kind === "count" && failuresBefore(pod) >= limit)) found.add(index);
  }
  return found;
}

/** The failed pods that wait for a successor: their numbers would be lost with them. `settled`: indexes that get none. */
export function waitingForSuccessor(
  job: Job,
  failed: readonly Pod[],
  active: readonly Pod[],
  settled: ReadonlySet<number>,
): ReadonlySet<Pod> {
  if (!hasLimitPerIndex(job)) return new Set();
  const followed = new Set(active.flatMap((pod) => indexOf(pod) ?? []));
  return new Set([...lastFailures(failed)].flatMap(([index, pod]) => (followed.has(index) || settled.has(index) ? [] : [pod])));
}

export interface IndexStart {
  /** For the annotation of the index's next pod. */
  readonly failures: number;
  /** Milliseconds until it may be made. */
  readonly wait: number;
}

/** What the next pod of each index that failed before is to know. */
export function indexStarts(job: Job, failed: readonly Pod[], now: number): ReadonlyMap<number, IndexStart> {
  const starts = new Map<number, IndexStart>();
  for (const [index, pod] of lastFailures(failed)) {
    const failures = failuresWith(job, pod);
    starts.set(index, { failures, wait: indexBackOffLeft(pod, failures, now) });
  }
  return starts;
}
