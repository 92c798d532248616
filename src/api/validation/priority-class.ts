/** PriorityClasses (`pkg/apis/scheduling/validation/validation.go`). */
import { forbidden, invalid, notSupported, type FieldError } from "../field-error.ts";
import type { PriorityClass } from "../types.ts";

/** Above it is the system's. */
export const highestUserPriority = 1_000_000_000;

/** Every cluster has these two (`pkg/apis/scheduling/v1/helpers.go`). */
export const systemPriorityClasses: readonly (Pick<PriorityClass, "value" | "description"> & { readonly name: string })[] = [
  {
    name: "system-node-critical",
    value: 2_000_001_000,
    description: "Used for system critical pods that must not be moved from their current node.",
  },
  {
    name: "system-cluster-critical",
    value: 2_000_000_000,
    description: "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
  },
];

export function validatePriorityClass(priorityClass: PriorityClass, old: PriorityClass | undefined): FieldError[] {
  const { value = 0, preemptionPolicy = "" } = priorityClass;
  const policies = ["Never", "PreemptLowerPriority"];
  return [
    ...validateReserved(priorityClass),
    ...(policies.includes(preemptionPolicy) ? [] : [notSupported("preemptionPolicy", preemptionPolicy, policies)]),
    ...(old !== undefined && value !== (old.value ?? 0) ? [forbidden("value", "may not be changed in an update.")] : []),
    ...(old !== undefined && preemptionPolicy !== old.preemptionPolicy
      ? [invalid("preemptionPolicy", preemptionPolicy, "field is immutable")]
      : []),
  ];
}

function validateReserved({ metadata: { name = "" }, value = 0, globalDefault = false }: PriorityClass): FieldError[] {
  const known = systemPriorityClasses.find((one) => one.name === name);
  if (!name.startsWith("system-")) {
    const most = `maximum allowed value of a user defined priority is ${highestUserPriority}`;
    return value > highestUserPriority ? [forbidden("value", most)] : [];
  }
  if (known !== undefined && known.value === value && !globalDefault) return [];
  const why = known === undefined ? `${name} is not a known system priority class` : `value of ${name} should be ${known.value}`;
  return [forbidden("metadata.name", `priority class names with 'system-' prefix are reserved for system use only. error: ${why}`)];
}
