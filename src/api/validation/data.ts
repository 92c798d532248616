/** What ConfigMaps and Secrets have in common. */
import { equalSemantics } from "../equality.ts";
import { forbidden, type FieldError } from "../field-error.ts";

/** All values of one object together. */
export const maxDataBytes = 1024 * 1024;

/** The size of what base64 text stands for. */
export function base64Bytes(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return Math.max((text.length / 4) * 3 - padding, 0);
}

interface DataObject {
  readonly immutable?: boolean | undefined;
  readonly data?: unknown;
}

const detail = "field is immutable when `immutable` is set";

/** An object marked immutable keeps the mark and its data. */
export function validateImmutableData(object: DataObject, old: DataObject): FieldError[] {
  if (old.immutable !== true) return [];
  return [
    ...(object.immutable === true ? [] : [forbidden("immutable", detail)]),
    ...(equalSemantics(object.data, old.data) ? [] : [forbidden("data", detail)]),
  ];
}
