/** CronJobs (batch/v1). */
import { defaultJobTemplate } from "../defaults-job.ts";
import { age } from "../duration.ts";
import type { Draft } from "../object.ts";
import { cronJobs } from "../resources.ts";
import { formatSelector, selectorOf } from "../selectors.ts";
import type { CronJob } from "../types.ts";
import { jobSpecWarnings } from "../validation/job-warnings.ts";
import { validateCronJob } from "../validation/job.ts";
import { ageColumn, defineKind, integer, nameColumn, orNone, text, wide } from "./define.ts";
import { templateColumns } from "./workload-columns.ts";

function applyDefaults({ spec }: Draft<CronJob>): void {
  if (spec === undefined) return;
  spec.concurrencyPolicy ||= "Allow";
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  if (spec.jobTemplate?.spec !== undefined) defaultJobTemplate(spec.jobTemplate.spec);
}

function suspendText({ spec }: CronJob): string {
  return spec?.suspend === undefined ? "<unset>" : spec.suspend ? "True" : "False";
}

function lastScheduleText({ status }: CronJob, now: number): string {
  return status?.lastScheduleTime === undefined ? "<none>" : age(status.lastScheduleTime, now);
}

export const cronJobKind = defineKind<CronJob>({
  resource: cronJobs,
  definition: "CronJob",
  singular: "cronjob",
  shortNames: ["cj"],
  categories: ["all"],
  subresources: ["status"],
  nameRule: "dns1123Subdomain",
  applyDefaults,
  validate: validateCronJob,
  warnings: ({ spec }) => jobSpecWarnings(spec?.jobTemplate?.spec, "spec.jobTemplate.spec"),
  columns: [
    nameColumn,
    text("Schedule", "When it runs.", ({ spec }) => spec?.schedule ?? ""),
    text("Timezone", "The zone that its schedule is read in.", ({ spec }) => orNone(spec?.timeZone)),
    text("Suspend", "Whether it rests.", suspendText),
    integer("Active", "Jobs of it that run.", ({ status }) => status?.active?.length ?? 0),
    text("Last Schedule", "Since it last made a Job.", lastScheduleText),
    ageColumn,
    ...templateColumns<CronJob>(({ spec }) => spec?.jobTemplate?.spec?.template),
    wide(text("Selector", "Labels of its pods.", ({ spec }) => orNone(formatSelector(selectorOf(spec?.jobTemplate?.spec?.selector))))),
  ],
});
