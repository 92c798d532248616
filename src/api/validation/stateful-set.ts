/** StatefulSets and ControllerRevisions (`pkg/apis/apps/validation/validation.go`). */
import { equalSemantics } from "../equality.ts";
import { forbidden, invalid, notSupported, required, type FieldError } from "../field-error.ts";
import { dns1123Label } from "../names.ts";
import { selectorOf, selectsEverything } from "../selectors.ts";
import type { ControllerRevision, PodTemplateSpec, StatefulSet, StatefulSetSpec, StatefulSetStatus } from "../types.ts";
import { validateAnnotations, validateLabels } from "./metadata.ts";
import { validateSelector, validateTemplateLabels } from "./pod-template.ts";
import { validateAtMostAll, validateIntOrPercent, validateNonNegative, validateText } from "./values.ts";

const mutable = ["replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit"] as const;
const mutableToo = ["persistentVolumeClaimRetentionPolicy", "minReadySeconds"] as const;

export function validateStatefulSet({ spec }: StatefulSet, old: StatefulSet | undefined): FieldError[] {
  if (spec === undefined) return [required("spec.selector")];
  return [
    ...validatePolicy(spec),
    ...validateUpdateStrategy(spec),
    ...validateClaimRetention(spec),
    ...validateNonNegative("spec.replicas", spec.replicas),
    ...validateNonNegative("spec.minReadySeconds", spec.minReadySeconds),
    ...validateNonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit),
    ...validateNonNegative("spec.ordinals.start", spec.ordinals?.start),
    ...((spec.serviceName ?? "") === "" ? [] : validateText("spec.serviceName", spec.serviceName, dns1123Label)),
    ...validateSelector(spec.selector, "empty selector is invalid for statefulset"),
    ...validateTemplate(spec.template, spec.selector),
    ...(old?.spec === undefined ? [] : validateUpdate(spec, old.spec)),
  ];
}

function validatePolicy({ podManagementPolicy: policy = "" }: StatefulSetSpec): FieldError[] {
  const path = "spec.podManagementPolicy";
  if (policy === "") return [required(path)];
  return ["OrderedReady", "Parallel"].includes(policy) ? [] : [invalid(path, policy, "must be 'OrderedReady' or 'Parallel'")];
}

function validateUpdateStrategy({ updateStrategy: strategy = {} }: StatefulSetSpec): FieldError[] {
  const path = "spec.updateStrategy";
  const { type = "", rollingUpdate } = strategy;
  switch (type) {
    case "":
      return [required(path)];
    case "OnDelete":
      return rollingUpdate === undefined
        ? []
        : [invalid(`${path}.rollingUpdate`, rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'")];
    case "RollingUpdate": {
      const { partition, maxUnavailable } = rollingUpdate ?? {};
      const field = `${path}.rollingUpdate.maxUnavailable`;
      return [
        ...validateNonNegative(`${path}.rollingUpdate.partition`, partition),
        ...(maxUnavailable === undefined ? [] : validateIntOrPercent(field, maxUnavailable)),
        ...(maxUnavailable === 0 || maxUnavailable === "0%" ? [invalid(field, maxUnavailable, "cannot be 0")] : []),
        ...validateAtMostAll(field, maxUnavailable),
      ];
    }
    default:
      return [invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")];
  }
}

function validateClaimRetention({ persistentVolumeClaimRetentionPolicy: policy = {} }: StatefulSetSpec): FieldError[] {
  const path = "spec.persistentVolumeClaimRetentionPolicy";
  return (["whenDeleted", "whenScaled"] as const).flatMap((field) => {
    const value = policy[field];
    return value === undefined || value === "Retain" || value === "Delete"
      ? []
      : [notSupported(`${path}.${field}`, value, ["Retain", "Delete"])];
  });
}

/**
 * Upstream leaves the pod spec to the pods that are made from it, since the claims' volumes are not in it yet; a template
 * that makes no valid pod shows as FailedCreate.
 */
function validateTemplate(template: PodTemplateSpec, selector: StatefulSetSpec["selector"]): FieldError[] {
  const { metadata, spec } = template ?? {};
  const path = "spec.template";
  return [
    ...(selectsEverything(selectorOf(selector)) ? [] : validateTemplateLabels(template, selector)),
    ...validateLabels(metadata?.labels, `${path}.labels`),
    ...validateAnnotations(metadata?.annotations, `${path}.annotations`),
    ...((spec?.containers ?? []).length === 0 ? [required(`${path}.spec.containers`)] : []),
    ...(spec?.restartPolicy === "Always" ? [] : [notSupported(`${path}.spec.restartPolicy`, spec?.restartPolicy ?? "", ["Always"])]),
    ...(spec?.activeDeadlineSeconds === undefined
      ? []
      : [forbidden(`${path}.spec.activeDeadlineSeconds`, "activeDeadlineSeconds in StatefulSet is not Supported")]),
  ];
}

/** Identities and claims are made from the rest, and would no longer fit it. */
function validateUpdate(spec: StatefulSetSpec, old: StatefulSetSpec): FieldError[] {
  const kept = Object.fromEntries([...mutable, ...mutableToo].map((field) => [field, old[field]]));
  if (equalSemantics({ ...spec, ...kept }, old)) return [];
  const named = [...mutable, mutableToo[0]].map((field) => `'${field}'`).join(", ");
  return [forbidden("spec", `updates to statefulset spec for fields other than ${named} and '${mutableToo[1]}' are forbidden`)];
}

export function validateStatefulSetStatus({ status }: StatefulSet, old: StatefulSet): FieldError[] {
  const counts = ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"] as const;
  const { replicas = 0, collisionCount = 0 }: Partial<StatefulSetStatus> = status ?? {};
  return [
    ...validateNonNegative("status.replicas", replicas),
    ...counts.flatMap((field) => validateNonNegative(`status.${field}`, status?.[field])),
    ...counts.flatMap((field) => {
      const value = status?.[field] ?? 0;
      return value > replicas ? [invalid(`status.${field}`, value, "cannot be greater than status.replicas")] : [];
    }),
    ...(collisionCount < (old.status?.collisionCount ?? 0)
      ? [invalid("status.collisionCount", collisionCount, "cannot be decremented")]
      : []),
  ];
}

export function validateControllerRevision({ data, revision }: ControllerRevision, old: ControllerRevision | undefined): FieldError[] {
  return [
    ...(data === undefined || data === null
      ? [required("data", "data is mandatory")]
      : typeof data !== "object"
        ? [required("data", "data must be a valid JSON object")]
        : []),
    ...validateNonNegative("revision", revision),
    ...(old === undefined || equalSemantics(data, old.data) ? [] : [invalid("data", data, "field is immutable")]),
  ];
}
