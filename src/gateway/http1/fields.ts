/**
 * Header fields of HTTP/1.1 (RFC 9112 5, RFC 9110 5), read strictly: what one parser might read otherwise than another is
 * refused, not guessed at. Heads are latin-1 text, so that what is passed on is byte for byte what came.
 */

/** What the gateway has to do with a field. */
export type FieldRole =
  | "end-to-end"
  /** Means something for one connection only (RFC 9110 7.6.1): never passed on. */
  | "hop"
  | "host"
  | "content-length"
  | "transfer-encoding"
  | "connection"
  | "upgrade"
  | "expect"
  | "keep-alive"
  /** Says who the client is: set by the gateway, never believed. */
  | "client-identity"
  /** Read by CGI-like servers as one of the above (`Content_Length`): dropped. */
  | "look-alike";

export interface Field {
  /** Lower case. */
  readonly name: string;
  /** Without white space around it. */
  readonly value: string;
  readonly role: FieldRole;
  /** Where its line is in the head's text, line end included. */
  readonly start: number;
  readonly end: number;
}

export interface Malformed {
  readonly kind: "malformed";
  readonly why: string;
}

const roles: Readonly<Record<string, FieldRole>> = {
  host: "host",
  "content-length": "content-length",
  "transfer-encoding": "transfer-encoding",
  connection: "connection",
  upgrade: "upgrade",
  expect: "expect",
  "keep-alive": "keep-alive",
  "proxy-connection": "hop",
  "proxy-authenticate": "hop",
  "proxy-authorization": "hop",
  te: "hop",
  trailer: "hop",
  "http2-settings": "hop",
  forwarded: "client-identity",
  "x-forwarded-for": "client-identity",
  "x-forwarded-host": "client-identity",
  "x-forwarded-port": "client-identity",
  "x-forwarded-proto": "client-identity",
  "x-forwarded-scheme": "client-identity",
  "x-forwarded-server": "client-identity",
  "x-forwarded-ssl": "client-identity",
  "x-real-ip": "client-identity",
  "x-original-forwarded-for": "client-identity",
  "x-scheme": "client-identity",
};

interface KnownName {
  readonly name: string;
  readonly role: FieldRole;
}

/** Spellings seen so far: checking and lower-casing one costs more than finding it. Bounded, as strangers choose the names. */
const known = new Map<string, KnownName>();
const maxKnown = 2048;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function isToken(text: string): boolean {
  return token.test(text);
}

/** Undefined: no field name. */
export function knownName(spelling: string): KnownName | undefined {
  const found = known.get(spelling);
  if (found !== undefined) return found;
  if (!token.test(spelling)) return undefined;
  const name = spelling.toLowerCase();
  const entry = { name, role: roleOf(name) };
  if (known.size < maxKnown && spelling.length <= 64) known.set(spelling, entry);
  return entry;
}

function roleOf(name: string): FieldRole {
  const own = Object.hasOwn(roles, name) ? roles[name] : undefined;
  if (own !== undefined) return own;
  return name.includes("_") && Object.hasOwn(roles, name.replaceAll("_", "-")) ? "look-alike" : "end-to-end";
}

/** A bare CR or LF, or another control character but HTAB: nothing that a head may hold. */
// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const forbidden = /\r(?!\n)|(?<!\r)\n|[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;

export function hasForbiddenBytes(text: string): boolean {
  return forbidden.test(text);
}

/** Whether a value can be written into a head: no control character but HTAB, only latin-1. */
export function isFieldValue(value: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

/** The field lines of `text` from `from` up to its end; `text` has passed `hasForbiddenBytes` and ends with CRLF, without the empty line. */
export function parseFields(text: string, from: number, maxFields: number): readonly Field[] | Malformed {
  const fields: Field[] = [];
  for (let start = from; start < text.length;) {
    const lineEnd = text.indexOf("\r\n", start);
    const colon = text.indexOf(":", start);
    if (colon < 0 || colon > lineEnd) return malformed("a header line without a colon");
    // White space before the colon or at the start of a line (obs-fold) is no part of a name, so both end here.
    const entry = knownName(text.slice(start, colon));
    if (entry === undefined) return malformed("a header name with a character that it cannot have");
    if (fields.length === maxFields) return malformed("too many header lines");
    fields.push({ name: entry.name, role: entry.role, value: trimmed(text, colon + 1, lineEnd), start, end: lineEnd + 2 });
    start = lineEnd + 2;
  }
  return fields;
}

export function malformed(why: string): Malformed {
  return { kind: "malformed", why };
}

/** Without SP and HTAB around it (RFC 9110 OWS). */
function trimmed(text: string, from: number, to: number): string {
  let [start, end] = [from, to];
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

const none: string[] = [];

/** Names that `Connection` lists, lower case. */
export function connectionOptions(fields: readonly Field[]): readonly string[] {
  let options: string[] = none;
  for (const { role, value } of fields) {
    if (role !== "connection") continue;
    if (options === none) options = [];
    for (const option of value.split(",")) options.push(option.trim().toLowerCase());
  }
  return options;
}

export type LengthResult = { readonly kind: "none" } | { readonly kind: "length"; readonly length: number } | { readonly kind: "chunked" };

/**
 * How long a body is (RFC 9112 6.3), where only one reading is possible: one Content-Length of digits, or one
 * Transfer-Encoding that is `chunked`, not both.
 */
export function bodyLength(fields: readonly Field[], minorVersion: number): LengthResult | Malformed {
  let length: string | undefined;
  let encoding: string | undefined;
  for (const { role, value } of fields) {
    if (role === "content-length") {
      if (length !== undefined) return malformed("more than one Content-Length");
      length = value;
    } else if (role === "transfer-encoding") {
      if (encoding !== undefined) return malformed("more than one Transfer-Encoding");
      encoding = value;
    }
  }
  if (encoding !== undefined) {
    if (length !== undefined) return malformed("both Content-Length and Transfer-Encoding");
    if (minorVersion === 0) return malformed("Transfer-Encoding in HTTP/1.0");
    return encoding.toLowerCase() === "chunked" ? { kind: "chunked" } : malformed("a Transfer-Encoding other than chunked");
  }
  if (length === undefined) return { kind: "none" };
  return /^\d{1,15}$/.test(length) ? { kind: "length", length: Number(length) } : malformed("a Content-Length that is no number");
}
