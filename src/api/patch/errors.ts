import { badRequestError, StatusError } from "../status.ts";

/** The patch cannot be read at all: 400. */
export function malformedPatch(reason: string): StatusError {
  return badRequestError(`error decoding patch: ${reason}`);
}

/**
 * The patch can be read but not applied to this object: 422, with upstream's general sentence (apimachinery
 * `NewGenericServerResponse`). The reason, which upstream keeps to itself, is its cause, where kubectl finds and prints it.
 */
export function inapplicablePatch(reason: string): StatusError {
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: "the server rejected our request due to an error in our request",
    reason: "Invalid",
    details: { causes: [{ reason: "UnexpectedServerResponse", message: reason, field: "patch" }] },
    code: 422,
  });
}
