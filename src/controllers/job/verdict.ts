/** Whether a Job is done, and how (upstream `job_controller.go` `syncJob`). Pure. */
import type { Job, JobCondition, Pod } from "../../api/types.ts";
import { rfc3339 } from "../../lib/clock.ts";
import type { Count } from "./counting.ts";
import { isActive } from "./job-pod.ts";
import { metSuccessPolicy } from "./success-policy.ts";

export type Verdict =
  | { readonly kind: "running" }
  | { readonly kind: "succeeded"; readonly reason: string; readonly message: string }
  | { readonly kind: "failed"; readonly reason: string; readonly message: string };

export function verdictOf(job: Job, count: Count, pods: readonly Pod[], now: number): Verdict {
  const decided = findCondition(job, "FailureTarget");
  if (decided?.status === "True") return { kind: "failed", reason: decided.reason ?? "", message: decided.message ?? "" };
  const failed = (reason: string, message: string): Verdict => ({ kind: "failed", reason, message });
  const limit = job.spec?.backoffLimit ?? 6;
  const met = findCondition(job, "SuccessCriteriaMet");
  if (met?.status === "True") return { kind: "succeeded", reason: met.reason ?? "", message: met.message ?? "" };
  if (count.failJob !== undefined) return failed("PodFailurePolicy", count.failJob);
  if (count.failed > limit || restartsExceed(job, pods, limit)) {
    return failed("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  }
  const most = job.spec?.maxFailedIndexes;
  if (most !== undefined && count.failedIndexes.size > most) {
    return failed("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
  }
  if (deadlineIn(job, now) === 0) return failed("DeadlineExceeded", "Job was active longer than specified deadline");
  const rule = metSuccessPolicy(job, count.completedIndexes);
  if (rule !== undefined) return { kind: "succeeded", reason: "SuccessPolicy", message: rule };
  if (count.failedIndexes.size > 0 && count.succeeded + count.failedIndexes.size >= (job.spec?.completions ?? 0) && !pods.some(isActive))
    return failed("FailedIndexes", "Job has failed indexes");
  return isComplete(job, count, pods)
    ? { kind: "succeeded", reason: "CompletionsReached", message: "Reached expected number of succeeded pods" }
    : { kind: "running" };
}

/** With `OnFailure` the kubelet starts containers again: those restarts count. */
function restartsExceed({ spec }: Job, pods: readonly Pod[], limit: number): boolean {
  if (spec?.template.spec?.restartPolicy !== "OnFailure") return false;
  const restarts = pods
    .filter(({ status }) => status?.phase === "Running" || status?.phase === "Pending")
    .flatMap(({ status }) => [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** Milliseconds until `activeDeadlineSeconds` is over; 0: it is. Undefined where there is none, or the Job rests. */
export function deadlineIn({ spec, status }: Job, now: number): number | undefined {
  if (spec?.activeDeadlineSeconds === undefined || status?.startTime === undefined || spec.suspend === true) return undefined;
  return Math.max(0, Date.parse(status.startTime) + spec.activeDeadlineSeconds * 1000 - now);
}

/** Without `completions` one success is enough, and the others may end as they like. */
function isComplete({ spec }: Job, { succeeded }: Count, pods: readonly Pod[]): boolean {
  if (pods.some(isActive)) return false;
  return spec?.completions === undefined ? succeeded > 0 : succeeded >= spec.completions;
}

export function findCondition({ status }: Job, type: string): JobCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

export const isFinished = (job: Job): boolean => ["Complete", "Failed"].some((type) => findCondition(job, type)?.status === "True");

/** Nothing changes when status and reason stay. */
export function withCondition(
  conditions: readonly JobCondition[],
  condition: Pick<JobCondition, "type" | "status" | "reason" | "message">,
  now: number,
): readonly JobCondition[] {
  const current = conditions.find(({ type }) => type === condition.type);
  if (current?.status === condition.status && current.reason === condition.reason) return conditions;
  const time = rfc3339(now);
  return [...conditions.filter(({ type }) => type !== condition.type), { ...condition, lastProbeTime: time, lastTransitionTime: time }];
}
