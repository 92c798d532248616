/** `podFailurePolicy` of a Job (KEP-3329; `pkg/apis/batch/validation/validation.go` `validatePodFailurePolicy`). */
import { duplicate, invalid, notSupported, required, tooMany, type FieldError } from "../field-error.ts";
import type { JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule } from "../types.ts";

const maxRules = 20;
const maxExitCodes = 255;
const actions = ["Count", "FailIndex", "FailJob", "Ignore"];

export function validateFailurePolicy({ podFailurePolicy: policy, template, backoffLimitPerIndex }: JobSpec, at: string): FieldError[] {
  if (policy === undefined) return [];
  const rules = policy.rules ?? [];
  const path = `${at}.podFailurePolicy.rules`;
  const { restartPolicy, containers = [], initContainers = [] } = template?.spec ?? {};
  const names = [...containers, ...initContainers].map(({ name }) => name);
  const never = 'only "Never" is supported when podFailurePolicy is specified';
  return [
    ...(restartPolicy === "Never" ? [] : [invalid(`${at}.template.spec.restartPolicy`, restartPolicy ?? "", never)]),
    ...(rules.length > maxRules ? [tooMany(path, rules.length, maxRules)] : []),
    ...rules.flatMap((rule, index) => validateRule(rule, names, backoffLimitPerIndex !== undefined, `${path}[${index}]`)),
  ];
}

function validateRule(rule: PodFailurePolicyRule, containers: readonly string[], perIndex: boolean, path: string): FieldError[] {
  const { action = "", onExitCodes, onPodConditions = [] } = rule;
  const supported = perIndex ? actions : actions.filter((one) => one !== "FailIndex");
  return [
    ...(action === ""
      ? [required(`${path}.action`)]
      : supported.includes(action)
        ? []
        : [notSupported(`${path}.action`, action, supported)]),
    ...(onExitCodes === undefined ? [] : validateExitCodes(onExitCodes, containers, `${path}.onExitCodes`)),
    ...onPodConditions.flatMap(({ type = "", status = "" }, index) => {
      const item = `${path}.onPodConditions[${index}]`;
      const statuses = ["False", "True", "Unknown"];
      return [
        ...(type === "" ? [required(`${item}.type`)] : []),
        ...(statuses.includes(status) ? [] : [notSupported(`${item}.status`, status, statuses)]),
      ];
    }),
    ...(onExitCodes !== undefined && onPodConditions.length > 0
      ? [invalid(path, null, "specifying both OnExitCodes and OnPodConditions is not supported")]
      : []),
    ...(onExitCodes === undefined && onPodConditions.length === 0
      ? [invalid(path, null, "specifying one of OnExitCodes and OnPodConditions is required")]
      : []),
  ];
}

function validateExitCodes(requirement: PodFailurePolicyOnExitCodesRequirement, containers: readonly string[], path: string): FieldError[] {
  const { operator = "", values = [], containerName } = requirement;
  const operators = ["In", "NotIn"];
  const unknown = containerName !== undefined && !containers.includes(containerName);
  return [
    ...(operator === ""
      ? [required(`${path}.operator`)]
      : operators.includes(operator)
        ? []
        : [notSupported(`${path}.operator`, operator, operators)]),
    ...(unknown
      ? [invalid(`${path}.containerName`, containerName, "must be one of the container or initContainer names in the pod template")]
      : []),
    ...(values.length === 0 ? [invalid(`${path}.values`, values, "at least one value is required")] : []),
    ...(values.length > maxExitCodes ? [tooMany(`${path}.values`, values.length, maxExitCodes)] : []),
    ...values.flatMap((value, index) => [
      ...(operator === "In" && value === 0 ? [invalid(`${path}.values[${index}]`, value, "must not be 0 for the In operator")] : []),
      ...(values.indexOf(value) < index ? [duplicate(`${path}.values[${index}]`, value)] : []),
    ]),
  ];
}
