/**
 * How many pods of a Job succeeded and failed. Each pod carries a finalizer until it is counted, and while it loses that
 * its uid stands in the status: so a pod counts once, whoever deletes it and whenever this program dies (KEP-2307;
 * upstream `job_controller.go` `trackJobStatusAndRemoveFinalizers`). Pure.
 */
import type { Job, Pod } from "../../api/types.ts";
import { isPodFinished, isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { actionFor } from "./failure-policy.ts";
import { indexOf, parseIndexes } from "./indexes.ts";
import { isActive, isIndexed, isTracked } from "./job-pod.ts";
import { failedIndexes, waitingForSuccessor } from "./per-index.ts";

export interface Count {
  readonly succeeded: number;
  readonly failed: number;
  /** Of an indexed Job. */
  readonly completedIndexes: ReadonlySet<number>;
  /** Of a Job with `backoffLimitPerIndex`: those that get no further pod. */
  readonly failedIndexes: ReadonlySet<number>;
  /** Pods that have ended without success, counted or not. */
  readonly failures: readonly Pod[];
  /** Pods that lose their finalizer. */
  readonly release: readonly Pod[];
  /** Their uids, for the status, before that. */
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  /** Why a rule of `podFailurePolicy` ends the Job. */
  readonly failJob: string | undefined;
}

/** `over`: the Job is decided, and no pod gets a successor any more. */
export function countPods(job: Job, pods: readonly Pod[], over = false): Count {
  const { succeeded = 0, failed = 0, uncountedTerminatedPods: pending } = job.status ?? {};
  const gone = pods.filter((pod) => hasEnded(job, pod));
  const completedIndexes = completed(job, gone.filter(isTracked));
  const failures = gone.filter((pod) => !hasSucceeded(pod));
  const indexesFailed = failedIndexes(job, failures.filter(isTracked));
  const settled = new Set([...completedIndexes, ...indexesFailed]);
  const waiting = waitingForSuccessor(job, failures, pods.filter(isActive), settled);
  const ended = gone.filter((pod) => isTracked(pod) && (over || !waiting.has(pod)));
  const fresh = ended.filter(
    ({ metadata: { uid = "" } }) => !(pending?.succeeded ?? []).includes(uid) && !(pending?.failed ?? []).includes(uid),
  );
  const actions = new Map(fresh.filter((pod) => !hasSucceeded(pod)).map((pod) => [pod, actionFor(job, pod)]));
  const counted = [...actions].filter(([, { kind }]) => kind !== "ignore").map(([pod]) => pod);
  const won = fresh.filter(hasSucceeded);
  const uids = (list: readonly Pod[]) => list.map(({ metadata }) => metadata.uid ?? "");
  const uncounted = {
    succeeded: isIndexed(job) ? [] : [...(pending?.succeeded ?? []), ...uids(won)],
    failed: [...(pending?.failed ?? []), ...uids(counted)],
  };
  const failJob = [...actions.values()].find((action) => action.kind === "failJob");
  return {
    succeeded: isIndexed(job) ? completedIndexes.size : succeeded + uncounted.succeeded.length,
    failed: failed + uncounted.failed.length,
    completedIndexes,
    failedIndexes: indexesFailed,
    failures,
    release: ended,
    uncounted,
    failJob: failJob?.kind === "failJob" ? failJob.message : undefined,
  };
}

const hasSucceeded = (pod: Pod): boolean => pod.status?.phase === "Succeeded";

/** A pod that somebody deleted counts as failed at once, unless its replacement is to wait for its end. */
function hasEnded({ spec }: Job, pod: Pod): boolean {
  const neverRan = (pod.spec?.nodeName ?? "") === "";
  return isPodFinished(pod) || (isPodTerminating(pod) && (neverRan || spec?.podReplacementPolicy !== "Failed"));
}

function completed(job: Job, ended: readonly Pod[]): ReadonlySet<number> {
  if (!isIndexed(job)) return new Set();
  const completions = job.spec?.completions ?? 0;
  const indexes = ended.filter(hasSucceeded).flatMap((pod) => indexOf(pod) ?? []);
  return new Set([...parseIndexes(job.status?.completedIndexes, completions), ...indexes.filter((index) => index < completions)]);
}
