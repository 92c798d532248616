/** Selectors and pod templates of workloads: what Deployments, ReplicaSets, StatefulSets and DaemonSets have in common. */
import { equalSemantics } from "../equality.ts";
import { forbidden, invalid, notSupported, required, type FieldError } from "../field-error.ts";
import { matchesLabels, selectorOf } from "../selectors.ts";
import type { LabelSelector, PodTemplateSpec } from "../types.ts";
import { validatePodTemplate } from "./pod.ts";
import { validateSelectorField } from "./selector.ts";

/** Changing it would leave pods that nobody owns. */
export function validateSelectorUpdate(selector: LabelSelector | undefined, old: LabelSelector | undefined): FieldError[] {
  return equalSemantics(selector, old) ? [] : [invalid("spec.selector", selector ?? null, "field is immutable")];
}

export function isEmptySelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): boolean {
  return Object.keys(matchLabels).length + matchExpressions.length === 0;
}

/** `empty`: what is said of a selector that would take every pod. */
export function validateSelector(selector: LabelSelector | undefined, empty: string): FieldError[] {
  const path = "spec.selector";
  if (selector === undefined) return [required(path)];
  if (isEmptySelector(selector)) return [invalid(path, selector, empty)];
  return validateSelectorField(selector, path);
}

/** A selector that does not find the template's pods would have them made without end. */
export function validateTemplateLabels(template: PodTemplateSpec | undefined, selector: LabelSelector | undefined): FieldError[] {
  const judged = selector !== undefined && !isEmptySelector(selector) && validateSelectorField(selector, "spec.selector").length === 0;
  const labels = template?.metadata?.labels;
  if (!judged || matchesLabels(selectorOf(selector), labels ?? {})) return [];
  return [invalid("spec.template.metadata.labels", labels ?? null, "`selector` does not match template `labels`")];
}

/** The template of pods that are started again for ever, which the selector must find. `owner`: `ReplicaSet`. */
export function validateTemplate(template: PodTemplateSpec | undefined, selector: LabelSelector | undefined, owner: string): FieldError[] {
  const path = "spec.template";
  const { spec } = template ?? {};
  const errors = [...validateTemplateLabels(template, selector), ...validatePodTemplate(template ?? {}, path)];
  if (spec?.restartPolicy !== undefined && spec.restartPolicy !== "Always") {
    errors.push(notSupported(`${path}.spec.restartPolicy`, spec.restartPolicy, ["Always"]));
  }
  if (spec?.activeDeadlineSeconds !== undefined) {
    errors.push(forbidden(`${path}.spec.activeDeadlineSeconds`, `activeDeadlineSeconds in ${owner} is not Supported`));
  }
  return errors;
}
