/** Checks of single values that many kinds share. Each answers its errors; empty means valid. */
import { invalid, notSupported, required, type FieldError } from "../field-error.ts";
import { percent, portName, portNumber, type TextRule } from "../names.ts";

/** Applies a rule of `names.ts`; text that is missing is empty, as it is in Go. */
export function validateText(path: string, text: string | undefined, rule: TextRule): FieldError[] {
  return rule(text ?? "").map((fault) => invalid(path, text ?? "", fault));
}

/** One of a list of words; missing is `Required value`. */
export function validateEnum(path: string, value: string | undefined, supported: readonly string[]): FieldError[] {
  if (value === undefined || value === "") return [required(path)];
  return supported.includes(value) ? [] : [notSupported(path, value, supported)];
}

/** Like `validateEnum`, but missing is fine. */
export function validateOptionalEnum(path: string, value: string | undefined, supported: readonly string[]): FieldError[] {
  return value === undefined || supported.includes(value) ? [] : [notSupported(path, value, supported)];
}

export function validateNonNegative(path: string, value: number | undefined): FieldError[] {
  return value === undefined || value >= 0 ? [] : [invalid(path, value, "must be greater than or equal to 0")];
}

export function validatePositive(path: string, value: number | undefined): FieldError[] {
  return value === undefined || value > 0 ? [] : [invalid(path, value, "must be greater than 0")];
}

/** A port number; missing counts as 0, as it does in Go. */
export function validatePort(path: string, port: number | undefined): FieldError[] {
  return portNumber(port ?? 0).map((fault) => invalid(path, port ?? 0, fault));
}

/** A port number or the name of a container port. */
export function validatePortOrName(path: string, port: number | string | undefined): FieldError[] {
  return typeof port === "string" ? validateText(path, port, portName) : validatePort(path, port);
}

/** A count, or a share as in `25%`. */
export function validateIntOrPercent(path: string, value: number | string | undefined): FieldError[] {
  if (typeof value === "string") return validateText(path, value, percent);
  return validateNonNegative(path, value);
}

/** The number of `25` or `25%`; text that is neither has its own error and counts as something. */
export function amount(value: number | string): number {
  if (typeof value === "number") return value;
  return /^\d+%$/.test(value) ? Number(value.slice(0, -1)) : 1;
}

/** Of a share of something there cannot be more than all. */
export function validateAtMostAll(path: string, value: number | string | undefined): FieldError[] {
  return typeof value === "string" && amount(value) > 100 ? [invalid(path, value, "must not be greater than 100%")] : [];
}

export const protocols: readonly string[] = ["TCP", "UDP", "SCTP"];
