/** What an update may change in a running pod (validation.go `ValidatePodUpdate`): images, and a few limits. */
import { equalSemantics } from "../equality.ts";
import { forbidden, invalid, type FieldError } from "../field-error.ts";
import { rangeError } from "../names.ts";
import type { Container, PodSpec } from "../types.ts";

const maxInt32 = 2 ** 31 - 1;

const updatable = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
].join(",");

export function validatePodUpdate(spec: PodSpec, old: PodSpec): FieldError[] {
  for (const list of ["containers", "initContainers"] as const) {
    if ((spec[list] ?? []).length !== (old[list] ?? []).length)
      return [forbidden(`spec.${list}`, "pod updates may not add or remove containers")];
  }
  const deadline = validateDeadline(spec.activeDeadlineSeconds, old.activeDeadlineSeconds);
  const errors = [...deadline, ...validateTolerations(spec, old), ...validateGates(spec, old)];
  if (equalSemantics(withoutUpdatable(spec, old), old)) return errors;
  // Upstream appends a diff of its internal types here.
  return [...errors, forbidden("spec", `pod updates may not change fields other than ${updatable}`)];
}

/** It may be set, and lowered. */
function validateDeadline(seconds: number | undefined, before: number | undefined): FieldError[] {
  const path = "spec.activeDeadlineSeconds";
  if (seconds === undefined)
    return before === undefined ? [] : [invalid(path, null, "must not update from a positive integer to nil value")];
  if (seconds < 0 || seconds > maxInt32) return [invalid(path, seconds, rangeError(0, maxInt32))];
  return before !== undefined && before < seconds ? [invalid(path, seconds, "must be less than or equal to previous value")] : [];
}

function validateTolerations({ tolerations = [] }: PodSpec, { tolerations: before = [] }: PodSpec): FieldError[] {
  const kept = before.every((old) =>
    tolerations.some((toleration) =>
      equalSemantics({ ...toleration, tolerationSeconds: undefined }, { ...old, tolerationSeconds: undefined }),
    ),
  );
  return kept ? [] : [forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")];
}

function validateGates({ schedulingGates = [] }: PodSpec, { schedulingGates: before = [] }: PodSpec): FieldError[] {
  const known = new Set(before.map(({ name }) => name));
  return schedulingGates.flatMap(({ name }, index) =>
    known.has(name)
      ? []
      : [forbidden(`spec.schedulingGates[${index}].name`, `only deletion is allowed, but found new scheduling gate '${name}'`)],
  );
}

/** The new spec with the old values of whatever may change: equal to the old spec when nothing else did. */
function withoutUpdatable(spec: PodSpec, old: PodSpec): PodSpec {
  const images = (containers: readonly Container[] | undefined, before: readonly Container[] | undefined) =>
    containers?.map((container, index) => ({ ...container, image: before?.[index]?.image }));
  const revived = (old.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1;
  const gated = (old.schedulingGates?.length ?? 0) > 0;
  return {
    ...spec,
    containers: images(spec.containers, old.containers) ?? [],
    initContainers: images(spec.initContainers, old.initContainers),
    activeDeadlineSeconds: old.activeDeadlineSeconds,
    tolerations: old.tolerations,
    schedulingGates: old.schedulingGates,
    ...(revived ? { terminationGracePeriodSeconds: old.terminationGracePeriodSeconds } : {}),
    ...(gated && addsTo(spec.nodeSelector, old.nodeSelector) ? { nodeSelector: old.nodeSelector } : {}),
  };
}

/** A pod behind a scheduling gate may still narrow where it runs. */
function addsTo(now: Readonly<Record<string, string>> = {}, before: Readonly<Record<string, string>> = {}): boolean {
  return Object.entries(before).every(([key, value]) => now[key] === value);
}
