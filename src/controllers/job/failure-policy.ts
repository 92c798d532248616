/** What a Job's `podFailurePolicy` makes of a pod that failed (KEP-3329; upstream `pkg/controller/job/pod_failure_policy.go`). Pure. */
import type { Job, Pod, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule } from "../../api/types.ts";

export type FailureAction =
  | { readonly kind: "count" }
  | { readonly kind: "ignore" }
  /** The pod's index has failed for good. */
  | { readonly kind: "failIndex" }
  /** The whole Job fails, for this reason. */
  | { readonly kind: "failJob"; readonly message: string };

export function actionFor({ spec }: Job, pod: Pod): FailureAction {
  for (const [index, rule] of (spec?.podFailurePolicy?.rules ?? []).entries()) {
    const why = matchOf(rule, pod);
    if (why === undefined) continue;
    if (rule.action === "Ignore") return { kind: "ignore" };
    if (rule.action === "FailIndex") return { kind: "failIndex" };
    if (rule.action === "FailJob") return { kind: "failJob", message: `${why} matching FailJob rule at index ${index}` };
    return { kind: "count" };
  }
  return { kind: "count" };
}

/** The first half of the message; undefined when the rule does not match. */
function matchOf({ onExitCodes, onPodConditions = [] }: PodFailurePolicyRule, pod: Pod): string | undefined {
  const where = `${pod.metadata.namespace}/${pod.metadata.name}`;
  if (onExitCodes !== undefined) {
    const found = failedContainer(pod, onExitCodes);
    return found && `Container ${found.name} for pod ${where} failed with exit code ${found.exitCode}`;
  }
  const conditions = pod.status?.conditions ?? [];
  const met = onPodConditions.find(({ type, status = "True" }) => conditions.some((one) => one.type === type && one.status === status));
  return met && `Pod ${where} has condition ${met.type}`;
}

function failedContainer(pod: Pod, { containerName, operator, values }: PodFailurePolicyOnExitCodesRequirement) {
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  return statuses
    .filter(({ name }) => containerName === undefined || name === containerName)
    .map(({ name, state }) => ({ name, exitCode: state?.terminated?.exitCode ?? 0 }))
    .find(({ exitCode }) => exitCode !== 0 && values.includes(exitCode) === (operator === "In"));
}
