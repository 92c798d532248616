/** Deployments and ReplicaSets (`pkg/apis/apps/validation/validation.go`). */
import { forbidden, invalid, notSupported, required, type FieldError } from "../field-error.ts";
import type { Deployment, DeploymentStrategy, ReplicaSet } from "../types.ts";
import { validateSelector, validateSelectorUpdate, validateTemplate } from "./pod-template.ts";
import { amount, validateIntOrPercent, validateNonNegative } from "./values.ts";

const emptySelector = "empty selector is invalid for deployment";

export function validateDeployment({ spec }: Deployment, old: Deployment | undefined): FieldError[] {
  if (spec === undefined) return [required("spec.selector"), required("spec.template.spec.containers")];
  const { minReadySeconds = 0, progressDeadlineSeconds: deadline } = spec;
  return [
    ...validateNonNegative("spec.replicas", spec.replicas),
    ...validateSelector(spec.selector, emptySelector),
    ...validateTemplate(spec.template, spec.selector, "ReplicaSet"),
    ...validateStrategy(spec.strategy ?? {}, "spec.strategy"),
    ...validateNonNegative("spec.minReadySeconds", minReadySeconds),
    ...validateNonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit),
    ...validateNonNegative("spec.progressDeadlineSeconds", deadline),
    ...(deadline !== undefined && deadline <= minReadySeconds
      ? [invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")]
      : []),
    ...(old === undefined ? [] : validateSelectorUpdate(spec.selector, old.spec?.selector)),
  ];
}

export function validateReplicaSet({ spec }: ReplicaSet, old: ReplicaSet | undefined): FieldError[] {
  if (spec === undefined) return [required("spec.selector")];
  return [
    ...validateNonNegative("spec.replicas", spec.replicas),
    ...validateNonNegative("spec.minReadySeconds", spec.minReadySeconds),
    ...validateSelector(spec.selector, emptySelector),
    ...validateTemplate(spec.template, spec.selector, "ReplicaSet"),
    ...(old === undefined ? [] : validateSelectorUpdate(spec.selector, old.spec?.selector)),
  ];
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
