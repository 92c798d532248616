/** Makes and deletes the Jobs of a CronJob, and writes its status. */
import { cronJobs, jobs } from "../../api/resources.ts";
import { isAlreadyExists, isNotFound } from "../../api/status.ts";
import type { CronJob, CronJobStatus, Job } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { errorMessage } from "../../lib/errors.ts";
import { controllerOf } from "../claim.ts";
import { isNamespaceTerminating } from "../failures.ts";
import type { OwnWrites } from "../own-writes.ts";
import { scheduledTime } from "./cron-job-run.ts";
import { withRun, type CronJobPlan } from "./reconcile.ts";

export interface CronJobWriter {
  readonly client: Client;
  readonly recorder: EventRecorder;
  readonly ownJobs: OwnWrites<Job>;
  readonly ownCronJobs: OwnWrites<CronJob>;
}

export async function finalize(writer: CronJobWriter, cronJob: CronJob, plan: CronJobPlan): Promise<void> {
  for (const job of [...plan.forget, ...plan.replace]) await deleteJob(writer, cronJob, job);
  for (const { type, reason, message } of plan.events) writer.recorder.event(cronJob, type, reason, message);
  const made = plan.create === undefined ? undefined : await createJob(writer, cronJob, plan.create);
  const replaced = new Set(plan.replace.map(({ metadata }) => metadata.uid));
  const active = (plan.status.active ?? []).filter(({ uid }) => !replaced.has(uid));
  const { active: _, ...others } = plan.status;
  const status = active.length === 0 ? others : { ...others, active };
  await writeStatus(writer, cronJob, made === undefined ? status : withRun(status, made, scheduledTime(made)));
}

async function createJob(writer: CronJobWriter, cronJob: CronJob, job: Job): Promise<Job | undefined> {
  const { client, recorder, ownJobs } = writer;
  try {
    const made = await client.create(jobs, job);
    ownJobs.wrote(made);
    recorder.event(cronJob, "Normal", "SuccessfulCreate", `Created job ${made.metadata.name}`);
    return made;
  } catch (error) {
    if (isNamespaceTerminating(error)) return undefined;
    if (isAlreadyExists(error)) return existingRun(writer, cronJob, job);
    recorder.event(cronJob, "Warning", "FailedCreate", `Error creating job: ${errorMessage(error)}`);
    throw error;
  }
}

/** Ours, made before this program forgot it; a stranger's Job of that name means that the run does not take place. */
async function existingRun({ client }: CronJobWriter, cronJob: CronJob, { metadata }: Job): Promise<Job | undefined> {
  const existing = await client.get(jobs, { namespace: metadata.namespace, name: metadata.name ?? "" });
  return controllerOf(existing)?.uid === cronJob.metadata.uid ? existing : undefined;
}

async function deleteJob({ client, recorder, ownJobs }: CronJobWriter, cronJob: CronJob, job: Job): Promise<void> {
  const { namespace, name = "" } = job.metadata;
  try {
    await client.delete(jobs, { namespace, name }, { propagationPolicy: "Background" });
    recorder.event(cronJob, "Normal", "SuccessfulDelete", `Deleted job ${name}`);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  ownJobs.deleted(job);
}

/** Written only when it says something new. */
async function writeStatus({ client, ownCronJobs }: CronJobWriter, cronJob: CronJob, status: CronJobStatus): Promise<void> {
  if (semanticEqual(cronJob.status, status)) return;
  ownCronJobs.wrote(await client.updateStatus(cronJobs, { ...cronJob, status }));
}
