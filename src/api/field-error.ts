/**
 * Errors of one field, as upstream writes them (apimachinery `pkg/util/validation/field/errors.go`): the API answers
 * `Service "web" is invalid: spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive`.
 */

export type FieldErrorType =
  | "FieldValueRequired"
  | "FieldValueInvalid"
  | "FieldValueNotSupported"
  | "FieldValueDuplicate"
  | "FieldValueForbidden"
  | "FieldValueTooLong"
  | "FieldValueTooMany"
  | "FieldValueNotFound"
  | "FieldValueTypeInvalid"
  | "InternalError";

export interface FieldError {
  readonly type: FieldErrorType;
  /** `spec.ports[0].port` */
  readonly field: string;
  /** Without the field: `Invalid value: 70000: must be between 1 and 65535, inclusive`. */
  readonly message: string;
}

/** How a bad value is shown in a message: text quoted, structures as JSON. */
function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : value === undefined ? "null" : JSON.stringify(value);
}

function detailed(head: string, detail: string | undefined): string {
  return detail === undefined || detail === "" ? head : `${head}: ${detail}`;
}

export const required = (field: string, detail = ""): FieldError => ({
  type: "FieldValueRequired",
  field,
  message: detailed("Required value", detail),
});

export const invalid = (field: string, value: unknown, detail: string): FieldError => ({
  type: "FieldValueInvalid",
  field,
  message: detailed(`Invalid value: ${shown(value)}`, detail),
});

/** `supported` is shown in the order of the alphabet, except where upstream has an order of its own. */
export const notSupported = (
  field: string,
  value: unknown,
  supported: readonly string[],
  order: "sorted" | "as given" = "sorted",
): FieldError => ({
  type: "FieldValueNotSupported",
  field,
  message: detailed(
    `Unsupported value: ${shown(value)}`,
    supported.length === 0 ? "" : `supported values: ${(order === "sorted" ? [...supported].sort() : supported).map(shown).join(", ")}`,
  ),
});

export const duplicate = (field: string, value: unknown): FieldError => ({
  type: "FieldValueDuplicate",
  field,
  message: `Duplicate value: ${shown(value)}`,
});

export const forbidden = (field: string, detail: string): FieldError => ({
  type: "FieldValueForbidden",
  field,
  message: detailed("Forbidden", detail),
});

export const notFound = (field: string, value: unknown): FieldError => ({
  type: "FieldValueNotFound",
  field,
  message: `Not found: ${shown(value)}`,
});

export const tooLong = (field: string, max: number): FieldError => ({
  type: "FieldValueTooLong",
  field,
  message: `Too long: may not be more than ${max} bytes`,
});

export const tooMany = (field: string, actual: number, max: number): FieldError => ({
  type: "FieldValueTooMany",
  field,
  message: `Too many: ${actual}: must have at most ${max} items`,
});

/** `spec.ports[0].port: Invalid value: …` */
export function fieldErrorText(error: FieldError): string {
  return `${error.field}: ${error.message}`;
}
