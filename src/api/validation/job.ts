/** Jobs and CronJobs (`pkg/apis/batch/validation/validation.go`). */
import { parseCron } from "../cron/parse.ts";
import { zoneOf } from "../cron/next.ts";
import { equalSemantics } from "../equality.ts";
import { invalid, notSupported, required, type FieldError } from "../field-error.ts";
import { matchesLabels, selectorOf } from "../selectors.ts";
import type { CronJob, CronJobSpec, Job, JobSpec, PodSpec, PodTemplateSpec } from "../types.ts";
import { validateFailurePolicy } from "./job-failure-policy.ts";
import { validatePodTemplate } from "./pod.ts";
import { validateSelectorField } from "./selector.ts";
import { validateNonNegative } from "./values.ts";

const maxIndexedCompletions = 100_000;

export function validateJob({ metadata, spec }: Job, old: Job | undefined): FieldError[] {
  if (spec === undefined) return [required("spec.template.spec.containers")];
  return [
    ...validateGeneratedSelector(metadata.uid ?? "", spec),
    ...validateJobSpec(spec, "spec"),
    ...validateSelector(spec),
    ...(old?.spec === undefined ? [] : validateUpdate(spec, old)),
  ];
}

/** The server makes the selector of a Job from its uid, lest two Jobs share pods. */
function validateGeneratedSelector(uid: string, { manualSelector, selector }: JobSpec): FieldError[] {
  if (manualSelector === true || selector === undefined || uid === "") return [];
  const expected = { "controller-uid": uid, "batch.kubernetes.io/controller-uid": uid };
  return matchesLabels(selectorOf(selector), expected) ? [] : [invalid("spec.selector", selector, "`selector` not auto-generated")];
}

function validateSelector({ selector, template }: JobSpec): FieldError[] {
  if (selector === undefined) return [required("spec.selector")];
  const errors = validateSelectorField(selector, "spec.selector");
  const labels = template.metadata?.labels;
  if (errors.length > 0 || matchesLabels(selectorOf(selector), labels ?? {})) return errors;
  return [invalid("spec.template.metadata.labels", labels ?? null, "`selector` does not match template `labels`")];
}

/** Without the selector, which a Job template has none of. */
function validateJobSpec(spec: JobSpec, path: string): FieldError[] {
  const counts = ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"] as const;
  const { restartPolicy } = spec.template?.spec ?? {};
  const field = `${path}.template.spec.restartPolicy`;
  return [
    ...counts.flatMap((count) => validateNonNegative(`${path}.${count}`, spec[count])),
    ...validateIndexed(spec, path),
    ...validateFailurePolicy(spec, path),
    ...validatePodTemplate(spec.template ?? {}, `${path}.template`),
    ...(restartPolicy === "Always" ? [required(field, 'valid values: "OnFailure", "Never"')] : []),
  ];
}

function validateIndexed({ completionMode = "NonIndexed", completions, parallelism = 0 }: JobSpec, path: string): FieldError[] {
  const modes = ["Indexed", "NonIndexed"];
  if (!modes.includes(completionMode)) return [notSupported(`${path}.completionMode`, completionMode, modes)];
  if (completionMode === "NonIndexed") return [];
  if (completions === undefined) return [required(`${path}.completions`, "when completion mode is Indexed")];
  const tooMany = `must be less than or equal to ${maxIndexedCompletions} when completion mode is Indexed`;
  return parallelism > maxIndexedCompletions ? [invalid(`${path}.parallelism`, parallelism, tooMany)] : [];
}

/** An indexed Job may grow and shrink when completions and parallelism stay equal (KEP-3715). */
function validateUpdate(spec: JobSpec, old: Job): FieldError[] {
  const before = old.spec as JobSpec;
  const elastic = spec.completionMode === "Indexed" && spec.completions === spec.parallelism;
  const fixed = ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "selector", "managedBy"] as const;
  const template = mayMoveTemplate(old) ? withPlacement(spec.template, before.template) : spec.template;
  return [
    ...(elastic || spec.completions === before.completions
      ? []
      : [invalid("spec.completions", spec.completions ?? null, "field is immutable")]),
    ...fixed.flatMap((field) =>
      equalSemantics(spec[field], before[field]) ? [] : [invalid(`spec.${field}`, spec[field] ?? null, "field is immutable")],
    ),
    ...(equalSemantics(template, before.template) ? [] : [invalid("spec.template", spec.template, "field is immutable")]),
  ];
}

/** Before its first pod, whoever admits a suspended Job may still say where it runs (KEP-2926). */
const mayMoveTemplate = ({ spec, status }: Job): boolean => spec?.suspend === true && status?.startTime === undefined;

function withPlacement(template: PodTemplateSpec, { metadata: from, spec: old }: PodTemplateSpec): PodTemplateSpec {
  const { nodeSelector, affinity, tolerations, schedulingGates } = old ?? {};
  const metadata = { ...template.metadata, labels: from?.labels, annotations: from?.annotations };
  return { ...template, metadata, spec: { ...template.spec, nodeSelector, affinity, tolerations, schedulingGates } as PodSpec };
}

/** A name of which `-` and a time can be made a Job's, whose pods must have room for their suffix. */
const maxCronJobName = 52;

export function validateCronJob({ metadata, spec }: CronJob, old: CronJob | undefined): FieldError[] {
  if (spec === undefined) return [required("spec.schedule")];
  const { name = "" } = metadata;
  const long = old === undefined && name.length > maxCronJobName;
  return [
    ...(long ? [invalid("metadata.name", name, `must be no more than ${maxCronJobName} characters`)] : []),
    ...validateSchedule(spec, old?.spec),
    ...validateNonNegative("spec.startingDeadlineSeconds", spec.startingDeadlineSeconds),
    ...validateConcurrency(spec.concurrencyPolicy),
    ...validateNonNegative("spec.successfulJobsHistoryLimit", spec.successfulJobsHistoryLimit),
    ...validateNonNegative("spec.failedJobsHistoryLimit", spec.failedJobsHistoryLimit),
    ...validateJobTemplate(spec),
  ];
}

function validateSchedule({ schedule = "", timeZone }: CronJobSpec, old: CronJobSpec | undefined): FieldError[] {
  const path = "spec.schedule";
  const errors = timeZone === undefined || timeZone === old?.timeZone ? [] : validateTimeZone(timeZone);
  if (schedule === "") return [required(path), ...errors];
  if (schedule.includes("TZ"))
    return [invalid(path, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"), ...errors];
  const parsed = parseCron(schedule);
  return [...(parsed.kind === "ok" ? [] : [invalid(path, schedule, parsed.message)]), ...errors];
}

function validateTimeZone(name: string): FieldError[] {
  const path = "spec.timeZone";
  if (name === "") return [invalid(path, name, "timeZone must be nil or non-empty string")];
  const explicit = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
  if (name.toLowerCase() === "local") return [invalid(path, name, explicit)];
  return zoneOf(name) === undefined ? [invalid(path, name, `unknown time zone ${name}`)] : [];
}

function validateConcurrency(policy: string | undefined): FieldError[] {
  const policies = ["Allow", "Forbid", "Replace"];
  if (policy === undefined || policy === "") return [required("spec.concurrencyPolicy")];
  return policies.includes(policy) ? [] : [notSupported("spec.concurrencyPolicy", policy, policies)];
}

function validateJobTemplate({ jobTemplate }: CronJobSpec): FieldError[] {
  const path = "spec.jobTemplate.spec";
  const spec = jobTemplate?.spec;
  if (spec === undefined) return [required(`${path}.template.spec.containers`)];
  return [
    ...validateJobSpec(spec, path),
    ...(spec.selector === undefined ? [] : [invalid(`${path}.selector`, spec.selector, "`selector` will be auto-generated")]),
    ...(spec.manualSelector === true ? [notSupported(`${path}.manualSelector`, true, ["nil", "false"])] : []),
  ];
}
