/** Label selectors in fields. */
import type { FieldError } from "../field-error.ts";
import { validateLabelSelector } from "../selectors.ts";
import type { LabelSelector } from "../types.ts";

/** Like `validateLabelSelector`, for a selector as it was decoded: key and operator may be missing and then count as empty. */
export function validateSelectorField(selector: LabelSelector | undefined, path: string): FieldError[] {
  if (selector === undefined) return [];
  if (selector.matchExpressions === undefined) return validateLabelSelector(selector, path);
  const matchExpressions = selector.matchExpressions.map(({ key = "", operator = "", values }) => ({ key, operator, values }));
  return validateLabelSelector({ ...selector, matchExpressions }, path);
}
