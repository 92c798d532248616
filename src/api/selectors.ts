/**
 * Label selectors: the object form of `spec.selector`, whether labels match and why not (apimachinery `pkg/labels/selector.go`,
 * `pkg/apis/meta/v1`). The text forms of `?labelSelector=` and `?fieldSelector=` come from here too.
 */
import { invalid, required as requiredField, forbidden, type FieldError } from "./field-error.ts";
import { labelValue, qualifiedName } from "./names.ts";
import { integerText } from "./selector-parser.ts";
import type { LabelSelector as LabelSelectorObject } from "./types.ts";

export { matchesFields, parseFieldSelector, type FieldRequirement } from "./field-selectors.ts";
export { parseLabelSelector, type Parsed } from "./selector-parser.ts";

export type Operator = "=" | "!=" | "in" | "notin" | "exists" | "!" | "gt" | "lt";

export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

/** `nothing` matches no object; an empty list of requirements matches every one. */
export type LabelSelector = { readonly kind: "nothing" } | { readonly kind: "requirements"; readonly requirements: readonly Requirement[] };

export const everything: LabelSelector = { kind: "requirements", requirements: [] };
export const nothing: LabelSelector = { kind: "nothing" };

export type Labels = Readonly<Record<string, string>>;

export function matchesLabels(selector: LabelSelector, labels: Labels): boolean {
  return selector.kind === "requirements" && selector.requirements.every((requirement) => meets(requirement, labels));
}

export function selectsEverything(selector: LabelSelector): boolean {
  return selector.kind === "requirements" && selector.requirements.length === 0;
}

function meets({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "=":
    case "in":
      return value !== undefined && values.includes(value);
    case "!=":
    case "notin":
      return value === undefined || !values.includes(value);
    case "exists":
      return value !== undefined;
    case "!":
      return value === undefined;
    case "gt":
    case "lt": {
      const [have, bound] = [integer(value), integer(values[0])];
      return have !== undefined && bound !== undefined && (operator === "gt" ? have > bound : have < bound);
    }
    default:
      return operator satisfies never;
  }
}

function integer(text: string | undefined): bigint | undefined {
  return text !== undefined && integerText.test(text) ? BigInt(text.replace(/^\+/, "")) : undefined;
}

/** One requirement that labels do not meet. */
export interface Mismatch {
  readonly key: string;
  /** `app=web` */
  readonly wanted: string;
  /** The value that is there; undefined: the key is missing. */
  readonly found: string | undefined;
}

/** Which requirements fail, in the selector's order; empty when the labels match. */
export function mismatches(selector: LabelSelector, labels: Labels): readonly Mismatch[] {
  if (selector.kind === "nothing") return [{ key: "", wanted: "nothing", found: undefined }];
  return selector.requirements
    .filter((requirement) => !meets(requirement, labels))
    .map((requirement) => ({
      key: requirement.key,
      wanted: formatRequirement(requirement),
      found: Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined,
    }));
}

/** The selector of a map: every pair must be there. Absent: nothing, as a Service without selector has no pods. */
export function selectorOfMap(map: Labels | undefined): LabelSelector {
  if (map === undefined) return nothing;
  return {
    kind: "requirements",
    requirements: Object.entries(map)
      .sort(byKey)
      .map(([key, value]) => ({ key, operator: "=", values: [value] })),
  };
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : a > b ? 1 : 0);

const objectOperators: Readonly<Record<string, Operator>> = { In: "in", NotIn: "notin", Exists: "exists", DoesNotExist: "!" };

/** Of `spec.selector`: null and undefined match nothing, `{}` everything (metav1.LabelSelectorAsSelector). An operator that is unknown matches nothing. */
export function selectorOf(selector: LabelSelectorObject | null | undefined): LabelSelector {
  if (selector === null || selector === undefined) return nothing;
  const requirements: Requirement[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
    key,
    operator: "=",
    values: [value],
  }));
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const known = objectOperators[operator];
    if (known === undefined) return nothing;
    requirements.push({ key, operator: known, values: values ?? [] });
  }
  return { kind: "requirements", requirements: requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)) };
}

export function formatSelector(selector: LabelSelector): string {
  return selector.kind === "nothing" ? "<none>" : selector.requirements.map(formatRequirement).join(",");
}

function formatRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case "exists":
      return key;
    case "!":
      return `!${key}`;
    case "in":
    case "notin":
      return `${key} ${operator} (${[...values].sort().join(",")})`;
    case "gt":
    case "lt":
      return `${key}${operator === "gt" ? ">" : "<"}${values[0] ?? ""}`;
    default:
      return `${key}${operator}${values[0] ?? ""}`;
  }
}

/** Errors of a `LabelSelector` object (apimachinery `pkg/apis/meta/v1/validation`). */
export function validateLabelSelector(selector: LabelSelectorObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    errors.push(...qualifiedName(key).map((problem) => invalid(`${path}.matchLabels`, key, problem)));
    errors.push(...labelValue(value).map((problem) => invalid(`${path}.matchLabels`, value, problem)));
  }
  for (const [i, { key, operator, values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${i}]`;
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0) errors.push(requiredField(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0) errors.push(forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    } else errors.push(invalid(`${at}.operator`, operator, "not a valid selector operator"));
    errors.push(...qualifiedName(key ?? "").map((problem) => invalid(`${at}.key`, key ?? "", problem)));
    for (const [j, value] of values.entries())
      errors.push(...labelValue(value).map((problem) => invalid(`${at}.values[${j}]`, value, problem)));
  }
  return errors;
}
