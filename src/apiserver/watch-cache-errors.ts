/** What the watch cache answers to revisions that it cannot serve, with upstream's texts (apiserver `pkg/storage`). */
import { badRequestError, goneError, StatusError } from "../api/status.ts";

const restart = "You can start a new list without the continue parameter";

/** A page of a list that is gone; `token` goes on inconsistently. */
export function continueExpiredError(token: string): StatusError {
  const { status } = goneError(
    `The provided continue parameter is too old to display a consistent list result. ${restart}, or use the continue token in this response to ` +
      `retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, ` +
      `modified, or deleted between the time the first chunk was returned and now may show up in the list.`,
  );
  return new StatusError({ ...status, metadata: { continue: token } });
}

export const listExpiredError = (): StatusError => goneError("The resourceVersion for the provided list is too old.");

export const watchExpiredError = (after: number, oldest: number): StatusError =>
  goneError(`too old resource version: ${after} (${oldest})`);

export const continueInvalidError = (why: string): StatusError =>
  badRequestError(`invalid continue token: continue key is not valid: ${why}`);

/** The client saw a later state than this store has: of another store, or of one restored from a copy. */
export function tooLargeRevisionError(wanted: number, current: number): StatusError {
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `Timeout: Too large resource version: ${wanted}, current: ${current}`,
    reason: "Timeout",
    details: { causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }], retryAfterSeconds: 1 },
    code: 504,
  });
}
