/** Jobs (batch/v1). */
import { age, humanDuration } from "../duration.ts";
import { defaultJobSpec } from "../defaults-job.ts";
import type { Draft } from "../object.ts";
import { jobs } from "../resources.ts";
import { formatSelector, selectorOf } from "../selectors.ts";
import type { Job } from "../types.ts";
import { jobSpecWarnings } from "../validation/job-warnings.ts";
import { validateJob } from "../validation/job.ts";
import { ageColumn, defineKind, nameColumn, text, wide } from "./define.ts";
import { templateColumns } from "./workload-columns.ts";

function applyDefaults({ metadata, spec }: Draft<Job>): void {
  if (spec === undefined) return;
  const { labels } = (spec.template ??= {}).metadata ?? {};
  if (labels !== undefined && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  defaultJobSpec(spec);
}

/** Labels that tell the pods of one Job from those of any other; the first two are older and kept for clients. */
export const jobLabels = {
  legacyName: "job-name",
  legacyUid: "controller-uid",
  name: "batch.kubernetes.io/job-name",
  uid: "batch.kubernetes.io/controller-uid",
} as const;

/** `pkg/registry/batch/job/strategy.go` `generateSelector` */
function generateSelector({ metadata, spec }: Draft<Job>): void {
  if (spec === undefined || spec.manualSelector === true) return;
  const { name = "", uid = "" } = metadata;
  const labels = ((spec.template.metadata ??= {}).labels ??= {});
  for (const key of [jobLabels.legacyName, jobLabels.name]) labels[key] ??= name;
  for (const key of [jobLabels.legacyUid, jobLabels.uid]) labels[key] ??= uid;
  spec.selector ??= {};
  (spec.selector.matchLabels ??= {})[jobLabels.uid] ??= uid;
}

function hasCondition({ status }: Job, type: string): boolean {
  return status?.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;
}

function statusText(job: Job): string {
  if (hasCondition(job, "Complete")) return "Complete";
  if (hasCondition(job, "Failed")) return "Failed";
  if (job.metadata.deletionTimestamp !== undefined) return "Terminating";
  return ["Suspended", "FailureTarget", "SuccessCriteriaMet"].find((type) => hasCondition(job, type)) ?? "Running";
}

function completionsText({ spec, status }: Job): string {
  const done = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${done}/${spec.completions}`;
  return (spec?.parallelism ?? 0) > 1 ? `${done}/1 of ${spec?.parallelism}` : `${done}/1`;
}

function durationText({ status }: Job, now: number): string {
  if (status?.startTime === undefined) return "";
  if (status.completionTime === undefined) return age(status.startTime, now);
  return humanDuration(Date.parse(status.completionTime) - Date.parse(status.startTime));
}

export const jobKind = defineKind<Job>({
  resource: jobs,
  definition: "Job",
  singular: "job",
  shortNames: [],
  categories: ["all"],
  subresources: ["status"],
  nameRule: "dns1123Subdomain",
  applyDefaults,
  prepareForCreate: (job) => {
    generateSelector(job);
    job.status = {};
    job.metadata.generation = 1;
  },
  validate: validateJob,
  warnings: ({ spec }) => jobSpecWarnings(spec, "spec"),
  selectableFields: { "status.successful": ({ status }) => String(status?.succeeded ?? 0) },
  defaultPropagationPolicy: "Orphan",
  columns: [
    nameColumn,
    text("Status", "What the Job does.", statusText),
    text("Completions", "Pods that ended well, of those wanted.", completionsText),
    text("Duration", "Time from its start to its completion, or to now.", durationText),
    ageColumn,
    ...templateColumns<Job>(({ spec }) => spec?.template),
    wide(text("Selector", "Labels of its pods.", ({ spec }) => formatSelector(selectorOf(spec?.selector)))),
  ],
});
