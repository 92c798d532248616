/** Deployments and ReplicaSets (`pkg/apis/apps/validation/validation.go`). */
import { equalSemantics } from "../equality.ts";
import { forbidden, invalid, notSupported, required, type FieldError } from "../field-error.ts";
import { matchesLabels, selectorOf } from "../selectors.ts";
import type { Deployment, DeploymentStrategy, LabelSelector, PodTemplateSpec, ReplicaSet } from "../types.ts";
import { validatePodTemplate } from "./pod.ts";
import { validateSelectorField } from "./selector.ts";
import { validateIntOrPercent, validateNonNegative } from "./values.ts";

export function validateDeployment({ spec }: Deployment, old: Deployment | undefined): FieldError[] {
  if (spec === undefined) return [required("spec.selector"), required("spec.template.spec.containers")];
  const { minReadySeconds = 0, progressDeadlineSeconds: deadline } = spec;
  return [
    ...(old === undefined ? [] : validateSelectorUpdate(spec.selector, old.spec?.selector)),
    ...validateNonNegative("spec.replicas", spec.replicas),
    ...validateSelector(spec.selector),
    ...validateTemplate(spec.template, spec.selector),
    ...validateStrategy(spec.strategy ?? {}, "spec.strategy"),
    ...validateNonNegative("spec.minReadySeconds", minReadySeconds),
    ...validateNonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit),
    ...validateNonNegative("spec.progressDeadlineSeconds", deadline),
    ...(deadline !== undefined && deadline <= minReadySeconds
      ? [invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")]
      : []),
  ];
}

export function validateReplicaSet({ spec }: ReplicaSet, old: ReplicaSet | undefined): FieldError[] {
  if (spec === undefined) return [required("spec.selector")];
  return [
    ...(old === undefined ? [] : validateSelectorUpdate(spec.selector, old.spec?.selector)),
    ...validateNonNegative("spec.replicas", spec.replicas),
    ...validateNonNegative("spec.minReadySeconds", spec.minReadySeconds),
    ...validateSelector(spec.selector),
    ...validateTemplate(spec.template, spec.selector),
  ];
}

/** Changing it would leave pods that nobody owns. */
function validateSelectorUpdate(selector: LabelSelector | undefined, old: LabelSelector | undefined): FieldError[] {
  return equalSemantics(selector, old) ? [] : [invalid("spec.selector", selector ?? null, "field is immutable")];
}

function isEmpty({ matchLabels = {}, matchExpressions = [] }: LabelSelector): boolean {
  return Object.keys(matchLabels).length + matchExpressions.length === 0;
}

function validateSelector(selector: LabelSelector | undefined): FieldError[] {
  const path = "spec.selector";
  if (selector === undefined) return [required(path)];
  if (isEmpty(selector)) return [invalid(path, selector, "empty selector is invalid for deployment")];
  return validateSelectorField(selector, path);
}

/** The template of pods that are started again for ever, which the selector must find. */
function validateTemplate(template: PodTemplateSpec | undefined, selector: LabelSelector | undefined): FieldError[] {
  const path = "spec.template";
  const { metadata, spec } = template ?? {};
  const judged = selector !== undefined && !isEmpty(selector) && validateSelectorField(selector, "spec.selector").length === 0;
  const errors =
    judged && !matchesLabels(selectorOf(selector), metadata?.labels ?? {})
      ? [invalid(`${path}.metadata.labels`, metadata?.labels ?? null, "`selector` does not match template `labels`")]
      : [];
  errors.push(...validatePodTemplate(template ?? {}, path));
  if (spec?.restartPolicy !== undefined && spec.restartPolicy !== "Always") {
    errors.push(notSupported(`${path}.spec.restartPolicy`, spec.restartPolicy, ["Always"]));
  }
  if (spec?.activeDeadlineSeconds !== undefined) {
    errors.push(forbidden(`${path}.spec.activeDeadlineSeconds`, "activeDeadlineSeconds in ReplicaSet is not Supported"));
  }
  return errors;
}

function validateStrategy({ type, rollingUpdate }: DeploymentStrategy, path: string): FieldError[] {
  switch (type) {
    case "Recreate":
      return rollingUpdate === undefined
        ? []
        : [forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")];
    case "RollingUpdate":
      return validateRollingUpdate(rollingUpdate, `${path}.rollingUpdate`);
    default:
      return [notSupported(`${path}.type`, type ?? "", ["Recreate", "RollingUpdate"])];
  }
}

function validateRollingUpdate(update: DeploymentStrategy["rollingUpdate"], path: string): FieldError[] {
  if (update === undefined) return [required(path, "this should be defaulted and never be nil")];
  const { maxUnavailable = 0, maxSurge = 0 } = update;
  const errors = [...validateIntOrPercent(`${path}.maxUnavailable`, maxUnavailable), ...validateIntOrPercent(`${path}.maxSurge`, maxSurge)];
  if (amount(maxUnavailable) === 0 && amount(maxSurge) === 0) {
    errors.push(invalid(`${path}.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0"));
  }
  if (typeof maxUnavailable === "string" && amount(maxUnavailable) > 100) {
    errors.push(invalid(`${path}.maxUnavailable`, maxUnavailable, "must not be greater than 100%"));
  }
  return errors;
}

/** The number of `25` or `25%`; text that is neither has its own error and counts as something. */
function amount(value: number | string): number {
  if (typeof value === "number") return value;
  return /^\d+%$/.test(value) ? Number(value.slice(0, -1)) : 1;
}
