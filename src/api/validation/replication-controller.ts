/** ReplicationControllers (`pkg/apis/core/validation/validation.go` `ValidateReplicationController`). */
import { required, type FieldError, invalid, notSupported } from "../field-error.ts";
import { matchesLabels, selectorOfMap } from "../selectors.ts";
import type { ReplicationController, ReplicationControllerSpec } from "../types.ts";
import { validateLabels } from "./metadata.ts";
import { validatePodTemplate } from "./pod.ts";
import { validateNonNegative } from "./values.ts";

export function validateReplicationController({ spec = {} }: ReplicationController): FieldError[] {
  const { selector = {}, replicas, minReadySeconds } = spec;
  return [
    ...validateNonNegative("spec.minReadySeconds", minReadySeconds),
    ...(Object.keys(selector).length === 0 ? [required("spec.selector")] : validateLabels(selector, "spec.selector")),
    ...(replicas === undefined ? [required("spec.replicas")] : validateNonNegative("spec.replicas", replicas)),
    ...validateTemplate(spec, selector),
  ];
}

function validateTemplate({ template }: ReplicationControllerSpec, selector: Readonly<Record<string, string>>): FieldError[] {
  const path = "spec.template";
  if (template === undefined) return [required(path)];
  const { labels } = template.metadata ?? {};
  const restart = template.spec?.restartPolicy;
  return [
    ...(matchesLabels(selectorOfMap(selector), labels ?? {})
      ? []
      : [invalid(`${path}.metadata.labels`, labels ?? null, "`selector` does not match template `labels`")]),
    ...validatePodTemplate(template, path),
    ...(restart === undefined || restart === "Always" ? [] : [notSupported(`${path}.spec.restartPolicy`, restart, ["Always"])]),
  ];
}
