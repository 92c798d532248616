/** How long a Job waits before it makes the next pod after failures (upstream `pkg/controller/job/backoff_utils.go`). Pure. */
import type { Pod } from "../../api/types.ts";

const firstMs = 10_000;
const mostMs = 600_000;

/** Ten seconds after the first failure, twice as long after each further one, at most ten minutes; a success ends it. */
export function backOffLeft(pods: readonly Pod[], now: number): number {
  const ended = (phase: string) => pods.filter(({ status }) => status?.phase === phase).map((pod) => endOf(pod, now));
  const lastSuccess = Math.max(0, ...ended("Succeeded"));
  const failures = ended("Failed").filter((time) => time > lastSuccess);
  if (failures.length === 0) return 0;
  const wait = Math.min(mostMs, firstMs * 2 ** (failures.length - 1));
  return Math.max(0, Math.max(...failures) + wait - now);
}

/** As above, for one index: `failed` is its last pod, `failures` how often it has failed by now. */
export function indexBackOffLeft(failed: Pod, failures: number, now: number): number {
  return failures === 0 ? 0 : Math.max(0, endOf(failed, now) + Math.min(mostMs, firstMs * 2 ** (failures - 1)) - now);
}

/** When its last container ended; a pod that does not say ended when it was made. */
function endOf({ metadata, status }: Pod, now: number): number {
  const times = (status?.containerStatuses ?? []).map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ""));
  const known = times.filter((time) => !Number.isNaN(time));
  const made = Date.parse(metadata.creationTimestamp ?? "");
  return known.length > 0 ? Math.max(...known) : Number.isNaN(made) ? now : made;
}
