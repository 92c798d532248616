/** Writes one pass over a Job, in the order that keeps each pod counted once; then its status. */
import { jobs, pods } from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import type { Job, JobStatus, Pod } from "../../api/types.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import type { OwnWrites } from "../own-writes.ts";
import { createPods, deletePods, type PodControl } from "../pod-control.ts";
import { isTracked, trackingFinalizer } from "./job-pod.ts";
import type { JobPlan } from "./reconcile.ts";

export interface JobWriter extends PodControl {
  readonly ownJobs: OwnWrites<Job>;
}

export async function finalize(writer: JobWriter, job: Job, plan: JobPlan): Promise<void> {
  const current = await noteUncounted(writer, job, plan);
  for (const pod of plan.release) await releasePod(writer, pod);
  for (const pod of plan.remove) await releasePod(writer, pod);
  const failure = (await deletePods(writer, job, [...plan.remove, ...plan.end])) ?? (await createPods(writer, job, plan.create));
  await writeStatus(writer, current, failure === undefined ? plan.status : withoutPlanned(plan));
  for (const { type, reason, message } of plan.events) writer.recorder.event(job, type, reason, message);
  if (failure !== undefined) throw new Error(failure.message);
}

/** Pods that could perhaps not be made are not active; the next pass counts again. */
function withoutPlanned({ status, create }: JobPlan): JobStatus {
  return { ...status, active: Math.max(0, (status.active ?? 0) - create.length) };
}

/** First the uids stand in the status: whatever happens now, the pods are counted once. */
async function noteUncounted(writer: JobWriter, job: Job, { release, uncounted }: JobPlan): Promise<Job> {
  if (!release.some(isTracked) || uncounted.succeeded.length + uncounted.failed.length === 0) return job;
  const status = { ...job.status, uncountedTerminatedPods: uncounted };
  if (semanticEqual(job.status, status)) return job;
  const written = await writer.client.updateStatus(jobs, { ...job, status });
  writer.ownJobs.wrote(written);
  return written;
}

export async function releasePod({ client, ownPods }: Pick<PodControl, "client" | "ownPods">, pod: Pod): Promise<void> {
  if (!isTracked(pod)) return;
  const { namespace, name = "", uid } = pod.metadata;
  const patch = { metadata: { uid, "$deleteFromPrimitiveList/finalizers": [trackingFinalizer] } };
  try {
    ownPods.wrote(await client.patch(pods, { namespace, name }, "application/strategic-merge-patch+json", patch));
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

export async function deleteExpired({ client }: JobWriter, { metadata: { namespace, name = "", uid } }: Job): Promise<void> {
  try {
    const preconditions = uid === undefined ? {} : { preconditions: { uid } };
    await client.delete(jobs, { namespace, name }, { propagationPolicy: "Foreground", ...preconditions });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Written only when it says something new. */
async function writeStatus({ client, ownJobs }: JobWriter, job: Job, status: JobStatus): Promise<void> {
  if (semanticEqual(job.status, status)) return;
  ownJobs.wrote(await client.updateStatus(jobs, { ...job, status }));
}
