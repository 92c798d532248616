/** Where a pod may run: tolerations, affinity, topology spread (validation.go). */
import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from "../field-error.ts";
import { labelValue, qualifiedName } from "../names.ts";
import type { Affinity, NodeSelectorTerm, PodAffinityTerm, Toleration, TopologySpreadConstraint } from "../types.ts";
import { validateSelectorField } from "./selector.ts";
import { validateEnum, validateOptionalEnum, validateText } from "./values.ts";

const effects: readonly string[] = ["NoExecute", "NoSchedule", "PreferNoSchedule"];

export function validateTolerations(tolerations: readonly Toleration[], path: string): FieldError[] {
  return tolerations.flatMap((toleration, index) => validateToleration(toleration, `${path}[${index}]`));
}

function validateToleration(
  { key = "", operator = "", value = "", effect = "", tolerationSeconds }: Toleration,
  path: string,
): FieldError[] {
  const errors = key === "" ? [] : validateText(`${path}.key`, key, qualifiedName);
  if (key === "" && operator !== "Exists") {
    const detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    errors.push(invalid(`${path}.operator`, operator, detail));
  }
  if (tolerationSeconds !== undefined && effect !== "NoExecute") {
    errors.push(invalid(`${path}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  }
  if (operator === "" || operator === "Equal") {
    const faults = labelValue(value);
    if (faults.length > 0) errors.push(invalid(`${path}.operator`, value, faults.join(";")));
  } else if (operator !== "Exists") errors.push(notSupported(`${path}.operator`, operator, ["Equal", "Exists"]));
  else if (value !== "") errors.push(invalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"));
  return effect === "" ? errors : [...errors, ...validateEnum(`${path}.effect`, effect, effects)];
}

export function validateAffinity(affinity: Affinity | undefined, path: string): FieldError[] {
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity ?? {};
  return [
    ...validateNodeAffinity(nodeAffinity, `${path}.nodeAffinity`),
    ...validatePodAffinity(podAffinity, `${path}.podAffinity`),
    ...validatePodAffinity(podAntiAffinity, `${path}.podAntiAffinity`),
  ];
}

const requiredTerms = "requiredDuringSchedulingIgnoredDuringExecution";
const preferredTerms = "preferredDuringSchedulingIgnoredDuringExecution";

function validateWeight(weight: number | undefined, path: string): FieldError[] {
  return weight !== undefined && weight >= 1 && weight <= 100 ? [] : [invalid(`${path}.weight`, weight ?? 0, "must be in the range 1-100")];
}

function validateNodeAffinity(affinity: Affinity["nodeAffinity"], path: string): FieldError[] {
  const terms = affinity?.[requiredTerms]?.nodeSelectorTerms;
  const list = `${path}.${requiredTerms}.nodeSelectorTerms`;
  const none = affinity?.[requiredTerms] !== undefined && (terms?.length ?? 0) === 0;
  return [
    ...(none ? [required(list, "must have at least one node selector term")] : []),
    ...(terms ?? []).flatMap((term, index) => validateNodeTerm(term, `${list}[${index}]`)),
    ...(affinity?.[preferredTerms] ?? []).flatMap(({ weight, preference }, index) => [
      ...validateWeight(weight, `${path}.${preferredTerms}[${index}]`),
      ...validateNodeTerm(preference, `${path}.${preferredTerms}[${index}].preference`),
    ]),
  ];
}

function validateNodeTerm(term: NodeSelectorTerm | undefined, path: string): FieldError[] {
  const { matchExpressions = [], matchFields = [] } = term ?? {};
  return [
    ...matchExpressions.flatMap(({ key, operator, values = [] }, index) => {
      const item = `${path}.matchExpressions[${index}]`;
      return [...validateOperator(operator, values, item), ...validateText(`${item}.key`, key ?? "", qualifiedName)];
    }),
    ...matchFields.flatMap(({ key, operator, values = [] }, index) => {
      const item = `${path}.matchFields[${index}]`;
      const one = values.length === 1 && (operator === "In" || operator === "NotIn");
      return [
        ...(one ? [] : [required(`${item}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector")]),
        ...(key === "metadata.name" ? [] : [invalid(`${item}.key`, key, "not a valid field selector key")]),
      ];
    }),
  ];
}

function validateOperator(operator: string, values: readonly string[], path: string): FieldError[] {
  switch (operator) {
    case "In":
    case "NotIn":
      return values.length > 0 ? [] : [required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")];
    case "Exists":
    case "DoesNotExist":
      return values.length === 0 ? [] : [forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    case "Gt":
    case "Lt":
      return values.length === 1 ? [] : [required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'")];
    default:
      return [invalid(`${path}.operator`, operator, "not a valid selector operator")];
  }
}

function validatePodAffinity(affinity: Affinity["podAffinity"], path: string): FieldError[] {
  return [
    ...(affinity?.[requiredTerms] ?? []).flatMap((term, index) => validatePodTerm(term, `${path}.${requiredTerms}[${index}]`)),
    ...(affinity?.[preferredTerms] ?? []).flatMap(({ weight, podAffinityTerm }, index) => [
      ...validateWeight(weight, `${path}.${preferredTerms}[${index}]`),
      ...validatePodTerm(podAffinityTerm, `${path}.${preferredTerms}[${index}].podAffinityTerm`),
    ]),
  ];
}

function validatePodTerm(term: PodAffinityTerm | undefined, path: string): FieldError[] {
  const { labelSelector, namespaceSelector, topologyKey = "" } = term ?? {};
  return [
    ...validateSelectorField(labelSelector, `${path}.labelSelector`),
    ...validateSelectorField(namespaceSelector, `${path}.namespaceSelector`),
    ...(topologyKey === ""
      ? [required(`${path}.topologyKey`, "can not be empty")]
      : validateText(`${path}.topologyKey`, topologyKey, qualifiedName)),
  ];
}

export function validateTopologySpread(constraints: readonly TopologySpreadConstraint[], path: string): FieldError[] {
  const pairs = constraints.map(({ topologyKey, whenUnsatisfiable }) => `{${topologyKey}, ${whenUnsatisfiable}}`);
  return constraints.flatMap((constraint, index) => {
    const item = `${path}[${index}]`;
    const { maxSkew, topologyKey = "", whenUnsatisfiable, minDomains, labelSelector } = constraint;
    return [
      ...(maxSkew > 0 ? [] : [invalid(`${item}.maxSkew`, maxSkew ?? 0, "must be greater than zero")]),
      ...(topologyKey === "" ? [required(`${item}.topologyKey`, "can not be empty")] : []),
      ...(whenUnsatisfiable === "DoNotSchedule" || whenUnsatisfiable === "ScheduleAnyway"
        ? []
        : [notSupported(`${item}.whenUnsatisfiable`, whenUnsatisfiable ?? "", ["DoNotSchedule", "ScheduleAnyway"])]),
      ...(pairs.indexOf(pairs[index] as string) < index ? [duplicate(`${item}.{topologyKey, whenUnsatisfiable}`, pairs[index])] : []),
      ...(minDomains === undefined || minDomains > 0 ? [] : [invalid(`${item}.minDomains`, minDomains, "must be greater than zero")]),
      ...validateOptionalEnum(`${item}.nodeAffinityPolicy`, constraint.nodeAffinityPolicy, ["Honor", "Ignore"]),
      ...validateOptionalEnum(`${item}.nodeTaintsPolicy`, constraint.nodeTaintsPolicy, ["Honor", "Ignore"]),
      ...validateSelectorField(labelSelector, `${item}.labelSelector`),
    ];
  });
}
