/** One pass over a CronJob: which Jobs are over, and whether one is due (upstream `cronjob_controllerv2.go` `syncCronJob`). Pure. */
import { nextTime, utc, zoneOf, type Zone } from "../../api/cron/next.ts";
import { parseCron, type CronSchedule } from "../../api/cron/parse.ts";
import type { CronJob, CronJobStatus, Job, ObjectReference } from "../../api/types.ts";
import { rfc3339 } from "../../lib/clock.ts";
import { findCondition, isFinished } from "../job/verdict.ts";
import { cronJobRun, jobReference } from "./cron-job-run.ts";
import { lastDue } from "./due.ts";

export interface PlannedEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

export interface CronJobPlan {
  /** Ended, since the next run takes their place (`Replace`), or beyond the history's limits. */
  readonly replace: readonly Job[];
  readonly forget: readonly Job[];
  readonly create: Job | undefined;
  /** As it is without the Job that is to be made. */
  readonly status: CronJobStatus;
  readonly events: readonly PlannedEvent[];
  /** Milliseconds until the schedule falls due again. */
  readonly againIn?: number;
}

/** `jobs`: those that the CronJob controls. */
export function planCronJob(cronJob: CronJob, jobs: readonly Job[], now: number): CronJobPlan {
  const seen = seenJobs(cronJob, jobs);
  const base = { forget: surplusHistory(cronJob, jobs), replace: [], create: undefined, status: seen.status };
  if (cronJob.metadata.deletionTimestamp !== undefined || cronJob.spec?.suspend === true) return { ...base, events: seen.events };
  const read = readSchedule(cronJob);
  if (read.kind === "unreadable") return { ...base, events: [...seen.events, read.event] };
  const next = nextTime(read.schedule, now, read.zone);
  const againIn = next === undefined ? {} : { againIn: next - now };
  const run = decideRun(cronJob, jobs, seen.status, read, now);
  return { ...base, ...run, ...againIn, events: [...seen.events, ...run.events] };
}

interface Seen {
  readonly status: CronJobStatus;
  readonly events: readonly PlannedEvent[];
}

/** Jobs that are over leave the list of the active ones; so do those that are gone. */
function seenJobs({ status = {} }: CronJob, jobs: readonly Job[]): Seen {
  const events: PlannedEvent[] = [];
  const active: ObjectReference[] = [];
  for (const reference of status.active ?? []) {
    const job = jobs.find(({ metadata }) => metadata.uid === reference.uid);
    if (job === undefined) events.push({ type: "Normal", reason: "MissingJob", message: `Active job went missing: ${reference.name}` });
    else if (!isFinished(job)) active.push(reference);
    else
      events.push({ type: "Normal", reason: "SawCompletedJob", message: `Saw completed job: ${reference.name}, condition: ${endOf(job)}` });
  }
  const ends = jobs.flatMap((job) =>
    endOf(job) === "Complete" && job.status?.completionTime !== undefined ? [job.status.completionTime] : [],
  );
  const lastSuccessfulTime = [...ends, status.lastSuccessfulTime ?? ""].sort().at(-1) ?? "";
  return {
    events,
    status: {
      ...(active.length === 0 ? {} : { active }),
      ...(status.lastScheduleTime === undefined ? {} : { lastScheduleTime: status.lastScheduleTime }),
      ...(lastSuccessfulTime === "" ? {} : { lastSuccessfulTime }),
    },
  };
}

function endOf(job: Job): "Complete" | "Failed" | "" {
  return (["Complete", "Failed"] as const).find((type) => findCondition(job, type)?.status === "True") ?? "";
}

/** Finished Jobs beyond the limits, oldest first. */
function surplusHistory({ spec }: CronJob, jobs: readonly Job[]): readonly Job[] {
  const of = (end: string, limit: number | undefined) => {
    const ended = jobs.filter((job) => endOf(job) === end && job.metadata.deletionTimestamp === undefined).sort(byStart);
    return limit === undefined ? [] : ended.slice(0, Math.max(0, ended.length - limit));
  };
  return [...of("Complete", spec?.successfulJobsHistoryLimit), ...of("Failed", spec?.failedJobsHistoryLimit)];
}

function byStart(a: Job, b: Job): number {
  return (
    (a.status?.startTime ?? "").localeCompare(b.status?.startTime ?? "") || (a.metadata.name ?? "").localeCompare(b.metadata.name ?? "")
  );
}

type Read =
  | { readonly kind: "ok"; readonly schedule: CronSchedule; readonly zone: Zone }
  | { readonly kind: "unreadable"; readonly event: PlannedEvent };

/** Validation refuses what cannot be read; an object may be older than the rule. */
function readSchedule({ spec }: CronJob): Read {
  const { schedule = "", timeZone } = spec ?? {};
  const zone = timeZone === undefined ? utc : zoneOf(timeZone);
  const warn = (reason: string, message: string): Read => ({ kind: "unreadable", event: { type: "Warning", reason, message } });
  if (zone === undefined) return warn("UnknownTimeZone", `invalid timeZone: ${JSON.stringify(timeZone)}: unknown time zone ${timeZone}`);
  const parsed = parseCron(schedule);
  if (parsed.kind === "ok") return { kind: "ok", schedule: parsed.schedule, zone };
  return warn("UnparseableSchedule", `unparseable schedule: ${JSON.stringify(schedule)} : ${parsed.message}`);
}

const manyMissed = 100;

type Run = Pick<CronJobPlan, "replace" | "create" | "events">;

function decideRun(
  cronJob: CronJob,
  jobs: readonly Job[],
  status: CronJobStatus,
  { schedule, zone }: Extract<Read, { readonly kind: "ok" }>,
  now: number,
): Run {
  const nothing: Run = { replace: [], create: undefined, events: [] };
  const deadline = cronJob.spec?.startingDeadlineSeconds;
  const due = lastDue(schedule, earliestOf(cronJob, deadline, now), now, zone);
  if (due.time === undefined) return nothing;
  const warnings = due.missed > manyMissed ? [tooManyMissed(deadline)] : [];
  const job = cronJobRun(cronJob, due.time);
  const made = jobs.some(({ metadata }) => metadata.name === job.metadata.name);
  if (made || status.lastScheduleTime === rfc3339(due.time)) return nothing;
  const active = jobs.filter((one) => !isFinished(one) && (status.active ?? []).some(({ uid }) => uid === one.metadata.uid));
  switch (cronJob.spec?.concurrencyPolicy) {
    case "Forbid": {
      const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
      const busy = (status.active ?? []).length > 0;
      return busy
        ? { ...nothing, events: [...warnings, { type: "Normal", reason: "JobAlreadyActive", message }] }
        : { ...nothing, create: job, events: warnings };
    }
    case "Replace":
      return { replace: active, create: job, events: warnings };
    default:
      return { ...nothing, create: job, events: warnings };
  }
}

function earliestOf({ metadata, status }: CronJob, deadline: number | undefined, now: number): number {
  const since = Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp ?? rfc3339(now));
  return deadline === undefined ? since : Math.max(since, now - deadline * 1000 - 1);
}

function tooManyMissed(deadline: number | undefined): PlannedEvent {
  const what = deadline === undefined ? "Set" : "Decrease";
  const message = `too many missed start times. ${what} .spec.startingDeadlineSeconds or check clock skew`;
  return { type: "Warning", reason: "TooManyMissedTimes", message };
}

/** The status with the Job that was made. */
export function withRun(status: CronJobStatus, job: Job, time: number): CronJobStatus {
  return { ...status, active: [...(status.active ?? []), jobReference(job)], lastScheduleTime: rfc3339(time) };
}
