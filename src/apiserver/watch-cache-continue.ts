/**
 * Continue tokens, as upstream makes them (apiserver `pkg/storage/continue.go`): the revision of the first page and the
 * key to go on from. Clients treat them as opaque.
 */
import { continueInvalidError } from "./watch-cache-errors.ts";

export interface ContinueToken {
  /** -1: whatever is current, which may be inconsistent with the pages before. */
  readonly revision: number;
  /** The list goes on with the first key that is not less. */
  readonly start: string;
}

const version = "meta.k8s.io/v1";

export function encodeContinue(token: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: version, rv: token.revision, start: token.start })).toString("base64url");
}

/** Throws 400. */
export function decodeContinue(text: string): ContinueToken {
  const { v, rv, start } = parseFields(text);
  if (v !== version) throw continueInvalidError("server does not recognize this encoded version");
  if (typeof rv !== "number" || !Number.isSafeInteger(rv) || rv === 0)
    throw continueInvalidError("incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  if (typeof start !== "string" || start === "") throw continueInvalidError("encoded start key empty (version meta.k8s.io/v1)");
  return { revision: rv < 0 ? -1 : rv, start };
}

function parseFields(text: string): { readonly v?: unknown; readonly rv?: unknown; readonly start?: unknown } {
  const illegal = text.search(/[^\w-]/);
  if (illegal >= 0) throw continueInvalidError(`illegal base64 data at input byte ${illegal}`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
  } catch (error) {
    throw continueInvalidError((error as SyntaxError).message);
  }
  if (typeof value !== "object" || value === null) throw continueInvalidError("not an object");
  return value;
}

/** The first key after `key`. */
export const after = (key: string): string => `${key}\u0000`;
