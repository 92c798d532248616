/**
 * The options that come in a query: each verb's record, checked with upstream's texts (apimachinery
 * `pkg/apis/meta/v1/validation`, `pkg/apis/meta/internalversion/validation`).
 */
import type { FieldValidation } from "../api/decode.ts";
import { forbidden, invalid, notSupported, required, tooLong, type FieldError } from "../api/field-error.ts";
import { badRequestError, invalidError } from "../api/status.ts";
import { isTrue } from "./request-info.ts";

export interface ListQuery {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly limit: number;
  readonly continue: string;
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
  readonly timeoutSeconds: number | undefined;
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
}

export interface WriteQuery {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: FieldValidation;
  readonly force: boolean;
}

const optionsKind = (kind: string) => ({ group: "meta.k8s.io", plural: kind.toLowerCase(), kind });

function check(kind: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidError(optionsKind(kind), "", errors);
}

/** A whole number of a query; absent or empty: undefined. Throws 400. */
export function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^[+-]?\d{1,15}$/.test(text)) {
    throw badRequestError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Number(text);
}

export function listQuery(query: URLSearchParams, watch: boolean): ListQuery {
  const sendInitialEvents = query.get("sendInitialEvents");
  const options: ListQuery = {
    labelSelector: query.get("labelSelector") ?? "",
    fieldSelector: query.get("fieldSelector") ?? "",
    limit: integer(query, "limit") ?? 0,
    continue: query.get("continue") ?? "",
    resourceVersion: query.get("resourceVersion") ?? "",
    resourceVersionMatch: query.get("resourceVersionMatch") ?? "",
    timeoutSeconds: integer(query, "timeoutSeconds"),
    allowWatchBookmarks: isTrue(query.get("allowWatchBookmarks")),
    sendInitialEvents: sendInitialEvents === null ? undefined : isTrue(sendInitialEvents),
  };
  check("ListOptions", watch ? watchErrors(options) : listErrors(options));
  return options;
}

function listErrors(options: ListQuery): FieldError[] {
  const { resourceVersion, resourceVersionMatch: match } = options;
  const errors: FieldError[] = [];
  if (match !== "") {
    if (resourceVersion === "")
      errors.push(forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"));
    errors.push(...continueErrors(options));
    if (match !== "Exact" && match !== "NotOlderThan")
      errors.push(notSupported("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""], "as given"));
    if (match === "Exact" && resourceVersion === "0")
      errors.push(forbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  if (options.sendInitialEvents !== undefined) errors.push(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  return errors;
}

function watchErrors(options: ListQuery): FieldError[] {
  const { resourceVersionMatch: match, sendInitialEvents } = options;
  const errors: FieldError[] = [];
  if (sendInitialEvents !== undefined && match !== "NotOlderThan")
    errors.push(forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  if (match === "") return errors;
  if (sendInitialEvents === undefined)
    errors.push(forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
  if (match !== "NotOlderThan") errors.push(notSupported("resourceVersionMatch", match, ["NotOlderThan"]));
  return [...errors, ...continueErrors(options)];
}

function continueErrors(options: ListQuery): FieldError[] {
  if (options.continue === "") return [];
  return [forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")];
}

const fieldValidations: readonly string[] = ["Ignore", "Strict", "Warn"];

/** `kind`: `CreateOptions`, `UpdateOptions` or `PatchOptions`; `apply`: a server-side apply, which must name its manager. */
export function writeQuery(query: URLSearchParams, userAgent: string, kind: string, apply = false): WriteQuery {
  const dryRun = query.getAll("dryRun");
  const manager = query.get("fieldManager") ?? "";
  const fieldValidation = query.get("fieldValidation") ?? "";
  const force = query.get("force");
  check(kind, [
    ...(kind === "PatchOptions" ? applyErrors(manager, force, apply) : []),
    ...managerErrors(manager),
    ...dryRunErrors(dryRun),
    ...(fieldValidation === "" || fieldValidations.includes(fieldValidation)
      ? []
      : [notSupported("fieldValidation", fieldValidation, fieldValidations)]),
  ]);
  return {
    dryRun: dryRun.length > 0,
    fieldManager: manager === "" ? managerOf(userAgent) : manager,
    fieldValidation: fieldValidation === "" ? "Warn" : (fieldValidation as FieldValidation),
    force: isTrue(force),
  };
}

function applyErrors(manager: string, force: string | null, apply: boolean): FieldError[] {
  if (apply) return manager === "" ? [required("fieldManager", "is required for apply patch")] : [];
  return force === null ? [] : [forbidden("force", "may not be specified for non-apply patch")];
}

function managerErrors(manager: string): FieldError[] {
  const errors: FieldError[] = [];
  if (Buffer.byteLength(manager) > 128) errors.push(tooLong("fieldManager", 128));
  const bad = [...manager].findIndex((character) => /[\p{Cc}\p{Cn}\p{Co}\p{Cs}]/u.test(character));
  if (bad >= 0)
    errors.push(invalid("fieldManager", manager, `invalid character ${JSON.stringify([...manager][bad])} (at position ${bad})`));
  return errors;
}

export function dryRunErrors(values: readonly string[]): FieldError[] {
  return values.every((value) => value === "All") ? [] : [notSupported("dryRun", values, ["All"])];
}

/** Who names no manager is known by the first word of its user agent (apiserver `managerOrUserAgent`). */
function managerOf(userAgent: string): string {
  const printable = [...(userAgent.split("/")[0] as string)].filter((character) => /[\x20-\x7e]/.test(character)).join("");
  return printable === "" ? "unknown" : printable.slice(0, 128);
}
