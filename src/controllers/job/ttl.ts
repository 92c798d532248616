/** When a finished Job goes by itself (`ttlSecondsAfterFinished`; upstream `pkg/controller/ttlafterfinished`). Pure. */
import type { Job } from "../../api/types.ts";
import { findCondition } from "./verdict.ts";

/** Milliseconds until then; 0: now. Undefined: never, or not yet finished. */
export function expiresIn(job: Job, now: number): number | undefined {
  const { ttlSecondsAfterFinished: ttl } = job.spec ?? {};
  const end = [findCondition(job, "Complete"), findCondition(job, "Failed")].find((condition) => condition?.status === "True");
  if (ttl === undefined || end?.lastTransitionTime === undefined || job.metadata.deletionTimestamp !== undefined) return undefined;
  return Math.max(0, Date.parse(end.lastTransitionTime) + ttl * 1000 - now);
}
