/** DaemonSets (`pkg/apis/apps/validation/validation.go` `ValidateDaemonSet`). */
import { invalid, notSupported, required, type FieldError } from "../field-error.ts";
import type { DaemonSet, DaemonSetUpdateStrategy } from "../types.ts";
import { validateSelector, validateSelectorUpdate, validateTemplate } from "./pod-template.ts";
import { amount, validateAtMostAll, validateIntOrPercent, validateNonNegative } from "./values.ts";

export function validateDaemonSet({ spec }: DaemonSet, old: DaemonSet | undefined): FieldError[] {
  if (spec === undefined) return [required("spec.selector")];
  return [
    ...(old === undefined ? [] : validateSelectorUpdate(spec.selector, old.spec?.selector)),
    ...validateSelector(spec.selector, "empty selector is invalid for daemonset"),
    ...validateTemplate(spec.template, spec.selector, "DaemonSet"),
    ...validateNonNegative("spec.minReadySeconds", spec.minReadySeconds),
    ...validateStrategy(spec.updateStrategy ?? {}, "spec.updateStrategy"),
    ...validateNonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit),
  ];
}

function validateStrategy({ type, rollingUpdate }: DaemonSetUpdateStrategy, path: string): FieldError[] {
  switch (type) {
    case "OnDelete":
      return [];
    case "RollingUpdate":
      return rollingUpdate === undefined
        ? [required(`${path}.rollingUpdate`)]
        : validateRollingUpdate(rollingUpdate, `${path}.rollingUpdate`);
    default:
      return [notSupported(path, type ?? "", ["OnDelete", "RollingUpdate"])];
  }
}

/** A node has room for the new pod beside the old one, or for it in its place; both at once has no meaning. */
function validateRollingUpdate(update: NonNullable<DaemonSetUpdateStrategy["rollingUpdate"]>, path: string): FieldError[] {
  const { maxUnavailable = 0, maxSurge = 0 } = update;
  const [unavailable, surge] = [amount(maxUnavailable) !== 0, amount(maxSurge) !== 0];
  return [
    ...validateIntOrPercent(`${path}.maxUnavailable`, maxUnavailable),
    ...validateIntOrPercent(`${path}.maxSurge`, maxSurge),
    ...(unavailable && surge ? [invalid(`${path}.maxSurge`, maxSurge, "may not be set when maxUnavailable is non-zero")] : []),
    ...(!unavailable && !surge ? [required(`${path}.maxUnavailable`, "cannot be 0 when maxSurge is 0")] : []),
    ...validateAtMostAll(`${path}.maxUnavailable`, maxUnavailable),
    ...validateAtMostAll(`${path}.maxSurge`, maxSurge),
  ];
}
