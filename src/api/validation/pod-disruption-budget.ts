/** PodDisruptionBudgets (`pkg/apis/policy/validation/validation.go`). */
import { invalid, notSupported, type FieldError } from "../field-error.ts";
import type { PodDisruptionBudget } from "../types.ts";
import { validateSelectorField } from "./selector.ts";
import { validateAtMostAll, validateIntOrPercent } from "./values.ts";

export function validatePodDisruptionBudget({ spec = {} }: PodDisruptionBudget): FieldError[] {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = spec;
  const policies = ["AlwaysAllow", "IfHealthyBudget"];
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    return [invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")];
  }
  return [
    ...validateShare("spec.minAvailable", minAvailable),
    ...validateShare("spec.maxUnavailable", maxUnavailable),
    ...validateSelectorField(selector, "spec.selector"),
    ...(policy === undefined || policies.includes(policy) ? [] : [notSupported("spec.unhealthyPodEvictionPolicy", policy, policies)]),
  ];
}

function validateShare(path: string, value: number | string | undefined): FieldError[] {
  return value === undefined ? [] : [...validateIntOrPercent(path, value), ...validateAtMostAll(path, value)];
}
