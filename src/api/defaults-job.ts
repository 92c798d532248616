/** What a Job's spec is when its author left it out (`pkg/apis/batch/v1/defaults.go`): for Jobs and for Job templates. */
import { defaultPodSpec } from "./defaults-pod.ts";
import type { Draft } from "./object.ts";
import type { JobSpec } from "./types.ts";

const defaultBackoffLimit = 6;
const unlimited = 2 ** 31 - 1;

export function defaultJobSpec(spec: Draft<JobSpec>): void {
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? defaultBackoffLimit : unlimited;
  spec.completionMode ??= "NonIndexed";
  spec.suspend ??= false;
  spec.manualSelector ??= false;
  for (const rule of spec.podFailurePolicy?.rules ?? []) for (const condition of rule.onPodConditions ?? []) condition.status ||= "True";
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed";
  defaultJobTemplate(spec);
}

/** A CronJob's template is only a template: the Jobs made of it get the rest. */
export function defaultJobTemplate(spec: Draft<JobSpec>): void {
  defaultPodSpec(((spec.template ??= {}).spec ??= { containers: [] }));
}
