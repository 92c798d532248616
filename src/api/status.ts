/**
 * The API's own error object (`metav1.Status`) and the constructors for each reason, with upstream's texts
 * (apimachinery `pkg/api/errors/errors.go`).
 */
import { fieldErrorText, type FieldError } from "./field-error.ts";
import { groupResource, type Resource } from "./resources.ts";
import type { Status } from "./types.ts";

/** Thrown by verbs and by the client: `status` is what travels. */
export class StatusError extends Error {
  readonly status: Status;

  constructor(status: Status) {
    super(status.message ?? status.reason ?? "unknown error");
    this.name = "StatusError";
    this.status = status;
  }

  get code(): number {
    return this.status.code ?? 500;
  }

  get reason(): string {
    return this.status.reason ?? "Unknown";
  }
}

type Named = Pick<Resource, "group" | "plural"> & { readonly kind?: string };

function failure(code: number, reason: string, message: string, details?: Status["details"]): StatusError {
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code,
  });
}

const namePart = (name: string) => (name === "" ? {} : { name });

function named(resource: Named, name: string): NonNullable<Status["details"]> {
  return { ...namePart(name), ...(resource.group === "" ? {} : { group: resource.group }), kind: resource.plural };
}

export const notFoundError = (resource: Named, name: string): StatusError =>
  failure(404, "NotFound", `${groupResource(resource)} "${name}" not found`, named(resource, name));

/** No such path: what a client sees for an unknown resource. */
export const noPathError = (): StatusError => failure(404, "NotFound", "the server could not find the requested resource", {});

export const alreadyExistsError = (resource: Named, name: string): StatusError =>
  failure(409, "AlreadyExists", `${groupResource(resource)} "${name}" already exists`, named(resource, name));

export const conflictError = (resource: Named, name: string, message: string): StatusError =>
  failure(409, "Conflict", `Operation cannot be fulfilled on ${groupResource(resource)} "${name}": ${message}`, named(resource, name));

/** The optimistic lock failed. */
export const modifiedError = (resource: Named, name: string): StatusError =>
  conflictError(resource, name, "the object has been modified; please apply your changes to the latest version and try again");

export const forbiddenError = (resource: Named, name: string, message: string): StatusError =>
  failure(403, "Forbidden", `${groupResource(resource)}${name === "" ? "" : ` "${name}"`} is forbidden: ${message}`, named(resource, name));

export const unauthorizedError = (message = "Unauthorized"): StatusError => failure(401, "Unauthorized", message);

export const badRequestError = (message: string): StatusError => failure(400, "BadRequest", message);

export const methodNotAllowedError = (resource: Named, verb: string): StatusError =>
  failure(405, "MethodNotAllowed", `${verb} is not supported on resources of kind "${groupResource(resource)}"`, named(resource, ""));

export const notAcceptableError = (message: string): StatusError => failure(406, "NotAcceptable", message);

export const unsupportedMediaTypeError = (message: string): StatusError => failure(415, "UnsupportedMediaType", message);

export const tooLargeError = (message: string): StatusError => failure(413, "RequestEntityTooLarge", message);

export const goneError = (message: string): StatusError => failure(410, "Expired", message);

export const tooManyRequestsError = (message: string, retryAfterSeconds: number): StatusError =>
  failure(429, "TooManyRequests", message, { retryAfterSeconds });

export const unavailableError = (message: string): StatusError => failure(503, "ServiceUnavailable", message);

export const internalError = (message: string): StatusError =>
  failure(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] });

/** 422 with a cause per field: `Service "web" is invalid: [spec.a: …, spec.b: …]`. */
export function invalidError(resource: Named & { readonly kind: string }, name: string, errors: readonly FieldError[]): StatusError {
  const texts = [...new Set(errors.map(fieldErrorText))];
  const list = texts.length === 1 ? (texts[0] as string) : `[${texts.join(", ")}]`;
  return failure(422, "Invalid", `${resource.kind}${resource.group === "" ? "" : `.${resource.group}`} "${name}" is invalid: ${list}`, {
    ...namePart(name),
    ...(resource.group === "" ? {} : { group: resource.group }),
    kind: resource.kind,
    causes: errors.map(({ type, field, message }) => ({ reason: type, message, field })),
  });
}

export const isNotFound = (error: unknown): boolean => error instanceof StatusError && error.reason === "NotFound";
export const isAlreadyExists = (error: unknown): boolean => error instanceof StatusError && error.reason === "AlreadyExists";
export const isConflict = (error: unknown): boolean => error instanceof StatusError && error.reason === "Conflict";
export const isGone = (error: unknown): boolean => error instanceof StatusError && (error.reason === "Expired" || error.reason === "Gone");
