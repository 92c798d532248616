/**
 * A request as HTTP/2 brings it (RFC 9113 8.3), checked. What HTTP/2 allows and HTTP/1.1 does not (a value with CR LF, a path that is
 * none) must not reach an endpoint, so names, values and target are checked as HTTP/1.1's are.
 */
import { normalizePath } from "../../decide/routes/index.ts";
import { isFieldValue, isToken, knownName, type LengthResult } from "../http1/fields.ts";
import { isAuthority, parseTarget } from "../http1/request-head.ts";
import type { HeaderField } from "../http2/hpack-table.ts";

export interface Http2Request {
  readonly kind: "request";
  readonly method: string;
  /** Normalized (`normalizePath`). */
  readonly path: string;
  /** With its `?`, or "". */
  readonly query: string;
  readonly authority: string;
  /** As they came, pseudo-header fields too. */
  readonly fields: readonly HeaderField[];
  /** Those that go on to an endpoint, cookies in one again (8.2.3). */
  readonly going: readonly HeaderField[];
  /** Their lines. */
  readonly text: string;
  readonly body: LengthResult;
}

export type Http2RequestResult =
  | Http2Request
  /** Answered with 400. */
  | { readonly kind: "refused"; readonly why: string }
  /** A stream error (8.1.1). */
  | { readonly kind: "malformed" };

const pseudoNames = [":method", ":scheme", ":path", ":authority"];
/** They mean something for an HTTP/1.1 connection only (8.2.2). */
const connectionNames: ReadonlySet<string> = new Set(["connection", "upgrade", "transfer-encoding", "keep-alive", "proxy-connection"]);

export function readRequest(fields: readonly HeaderField[], endOfStream: boolean): Http2RequestResult {
  const pseudo = pseudoFields(fields);
  if (pseudo === undefined || !isWellFormed(fields)) return { kind: "malformed" };
  const { method, scheme, path: rawPath, authority: named } = pseudo;
  if (method === undefined) return { kind: "malformed" };
  if (method === "CONNECT" || !isToken(method)) return refused("a method that is not served over HTTP/2");
  if (scheme === undefined || rawPath === undefined || rawPath === "") return { kind: "malformed" };
  const host = valueOf(fields, "host");
  if (named !== undefined && host !== undefined && named !== host) return refused("a Host that is not the :authority");
  const authority = named ?? host ?? "";
  if (!isAuthority(authority)) return refused("an :authority that is no host");
  const target = rawPath.startsWith("/") ? parseTarget(rawPath, method) : undefined;
  if (target === undefined) return refused("a :path that is none");
  const path = normalizePath(target.path);
  if (path.kind === "bad") return refused(path.why);
  const going = goingFields(fields);
  if (going === undefined) return refused("a header that HTTP/1.1 cannot have");
  const body = bodyOf(fields, endOfStream);
  if (body === undefined) return { kind: "malformed" };
  const text = going.map(({ name, value }) => `${name}: ${value}\r\n`).join("");
  return { kind: "request", method, path: path.path, query: target.query, authority, fields, going, text, body };
}

/** Several lines joined; undefined: there is none. */
export function valueOf(fields: readonly HeaderField[], name: string): string | undefined {
  let value: string | undefined;
  const separator = name === "cookie" ? "; " : ", ";
  for (const field of fields) if (field.name === name) value = value === undefined ? field.value : `${value}${separator}${field.value}`;
  return value;
}

function refused(why: string): Http2RequestResult {
  return { kind: "refused", why };
}

interface Pseudo {
  method?: string;
  scheme?: string;
  path?: string;
  authority?: string;
}

/** Each once, none that is unknown, all before the others. */
function pseudoFields(fields: readonly HeaderField[]): Readonly<Pseudo> | undefined {
  const pseudo: Pseudo = {};
  let over = false;
  for (const { name, value } of fields) {
    if (name.charCodeAt(0) !== 58) {
      over = true;
      continue;
    }
    const key = name.slice(1) as keyof Pseudo;
    if (over || !pseudoNames.includes(name) || pseudo[key] !== undefined) return undefined;
    pseudo[key] = value;
  }
  return pseudo;
}

function isWellFormed(fields: readonly HeaderField[]): boolean {
  return fields.every(
    ({ name, value }) => !/[A-Z]/.test(name) && !connectionNames.has(name) && (name !== "te" || value.toLowerCase() === "trailers"),
  );
}

function goingFields(fields: readonly HeaderField[]): readonly HeaderField[] | undefined {
  const going: HeaderField[] = [];
  for (const field of fields) {
    if (field.name.charCodeAt(0) === 58) continue;
    const known = knownName(field.name);
    if (known === undefined || !isFieldValue(field.value)) return undefined;
    if (field.name !== "cookie" && (known.role === "end-to-end" || known.role === "expect")) going.push(field);
  }
  const cookie = valueOf(fields, "cookie");
  return cookie === undefined ? going : [...going, { name: "cookie", value: cookie }];
}

/** Undefined: a length that is none, or is not that of no body. */
function bodyOf(fields: readonly HeaderField[], endOfStream: boolean): LengthResult | undefined {
  const length = valueOf(fields, "content-length");
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return undefined;
  if (endOfStream) return length === undefined || Number(length) === 0 ? { kind: "none" } : undefined;
  return length === undefined ? { kind: "chunked" } : { kind: "length", length: Number(length) };
}
