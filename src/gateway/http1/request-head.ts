/** The head of a request (RFC 9112 3, RFC 9110 7.2), read strictly. Pure: bytes in, a head or the reason for refusing it out. */
import { normalizePath } from "../../decide/routes/index.ts";
import { bodyLength, connectionOptions, hasForbiddenBytes, isToken, parseFields, type Field, type LengthResult } from "./fields.ts";
import { goesToEndpoint, keptLines } from "./passed-on.ts";

export interface HeadLimits {
  /** Of the whole head. Default 32,768. */
  readonly headBytes: number;
  /** Of the request target. Default 8,192. */
  readonly targetBytes: number;
  /** Lines. Default 128. */
  readonly fields: number;
}

export const defaultHeadLimits: HeadLimits = { headBytes: 32_768, targetBytes: 8_192, fields: 128 };

/** What the field lines of a head say, whatever its first line is. The requests of one connection mostly repeat them. */
export interface FieldBlock {
  /** The lines; `fields` point into it. */
  readonly text: string;
  readonly minorVersion: 0 | 1;
  readonly fields: readonly Field[];
  readonly body: LengthResult;
  /** Of the Host field; "" without one. */
  readonly host: string;
  /** Names that this connection alone knows (`Connection`), lower case. */
  readonly connection: readonly string[];
  readonly keepAlive: boolean;
  /** The protocol that the client wants to change to: `websocket`. */
  readonly upgrade: string | undefined;
  /** The lines that go on to an endpoint. */
  readonly passedOn: string;
}

export interface RequestHead {
  readonly kind: "request";
  readonly method: string;
  /** Normalized (`normalizePath`); `*` for `OPTIONS *`. */
  readonly path: string;
  /** With its `?`, or "". */
  readonly query: string;
  /** Host and port as the client named them; the one place that says for whom the request is. */
  readonly authority: string;
  readonly block: FieldBlock;
  /** Bytes of the head, the empty line included. */
  readonly bytes: number;
}

export interface Refusal {
  readonly kind: "refused";
  readonly status: number;
  /** For the client's programmer. */
  readonly why: string;
}

export type RequestHeadResult = RequestHead | Refusal | { readonly kind: "incomplete" };

/**
 * `bytes`: what has come since the last request ended. An empty line before the request is skipped (RFC 9112 2.2). `before`: of the
 * connection's last request; where the same lines come again they are not read again.
 */
export function parseRequestHead(bytes: Buffer, limits: HeadLimits = defaultHeadLimits, before?: FieldBlock): RequestHeadResult {
  const skip = bytes[0] === 13 && bytes[1] === 10 ? 2 : 0;
  const end = bytes.indexOf("\r\n\r\n", skip, "latin1");
  if (end < 0 || end > limits.headBytes) return unfinished(bytes, limits);
  const text = bytes.toString("latin1", skip, end + 2);
  const lineEnd = text.indexOf("\r\n");
  const first = text.slice(0, lineEnd);
  const rest = text.slice(lineEnd + 2);
  const known = before !== undefined && before.text === rest;
  if (hasForbiddenBytes(known ? first : text)) return refused(400, "a control character, or a line that does not end with CR LF");
  const line = parseRequestLine(first, limits);
  if (line.kind === "refused") return line;
  const block = known && before.minorVersion === line.minorVersion ? before : parseBlock(rest, line.minorVersion, limits);
  return "status" in block ? block : requestHead(line, block, end + 4);
}

/** Waiting for more makes no sense when what has come is wrong or too long already. */
function unfinished(bytes: Buffer, limits: HeadLimits): RequestHeadResult {
  if (bytes.length > limits.headBytes) {
    const lineEnd = bytes.indexOf(10);
    return lineEnd < 0 || lineEnd > limits.targetBytes
      ? refused(414, "the request line is too long")
      : refused(431, "the head is too long");
  }
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (at === 0 || bytes[at - 1] !== 13) return refused(400, "a line that does not end with CR LF");
  }
  return { kind: "incomplete" };
}

function refused(status: number, why: string): Refusal {
  return { kind: "refused", status, why };
}

function parseBlock(text: string, minorVersion: 0 | 1, limits: HeadLimits): FieldBlock | Refusal {
  const fields = parseFields(text, 0, limits.fields);
  if ("kind" in fields) return refused(fields.why.startsWith("too many") ? 431 : 400, fields.why);
  const body = bodyLength(fields, minorVersion);
  if (body.kind === "malformed") return refused(body.why.startsWith("a Transfer-Encoding other") ? 501 : 400, body.why);
  const host = hostField(fields, minorVersion);
  if (typeof host !== "string") return host;
  const connection = connectionOptions(fields);
  return {
    text,
    minorVersion,
    fields,
    body,
    host,
    connection,
    keepAlive: minorVersion === 1 ? !connection.includes("close") : connection.includes("keep-alive"),
    upgrade: minorVersion === 1 && connection.includes("upgrade") ? fields.find(({ role }) => role === "upgrade")?.value : undefined,
    passedOn: keptLines(text, fields, (field) => goesToEndpoint(field, connection)),
  };
}

function requestHead(line: RequestLine, block: FieldBlock, bytes: number): RequestHead | Refusal {
  const authority = line.authority ?? block.host;
  if (!isAuthority(authority)) return refused(400, "a Host that is no host");
  const path = line.path === "*" ? ({ kind: "ok", path: "*" } as const) : normalizePath(line.path);
  if (path.kind === "bad") return refused(400, path.why);
  return { kind: "request", method: line.method, path: path.path, query: line.query, authority, block, bytes };
}

interface RequestLine {
  readonly kind: "line";
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Of an absolute target; it goes before the Host field (RFC 9112 3.2.2). */
  readonly authority: string | undefined;
  readonly minorVersion: 0 | 1;
}

function parseRequestLine(line: string, limits: HeadLimits): RequestLine | Refusal {
  const first = line.indexOf(" ");
  const last = line.lastIndexOf(" ");
  if (first <= 0 || last === first) return refused(400, "no request line");
  const [method, target, version] = [line.slice(0, first), line.slice(first + 1, last), line.slice(last + 1)];
  if (!isToken(method)) return refused(400, "a method with a character that it cannot have");
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") {
    return /^HTTP\/\d\.\d$/.test(version) ? refused(505, `${version} is not spoken here`) : refused(400, "no HTTP version");
  }
  if (target.length > limits.targetBytes) return refused(414, "the request target is too long");
  if (method === "CONNECT") return refused(501, "this is no forward proxy: CONNECT is not served");
  const parsed = parseTarget(target, method);
  if (parsed === undefined) return refused(400, "a request target that is none");
  const { path, query, authority } = parsed;
  return { kind: "line", method, path, query, authority, minorVersion: version === "HTTP/1.1" ? 1 : 0 };
}

/** Origin form, absolute form with http or https, and `*` with OPTIONS. Visible ASCII; a fragment is never sent. */
export function parseTarget(target: string, method: string): Pick<RequestLine, "path" | "query" | "authority"> | undefined {
  if (!/^[\x21\x22\x24-\x7e]+$/.test(target)) return undefined;
  if (target === "*") return method === "OPTIONS" ? { path: "*", query: "", authority: undefined } : undefined;
  if (target.charCodeAt(0) === 47) {
    const mark = target.indexOf("?");
    return mark < 0
      ? { path: target, query: "", authority: undefined }
      : { path: target.slice(0, mark), query: target.slice(mark), authority: undefined };
  }
  const [, authority, rest = ""] = /^https?:\/\/([^/?]+)(.*)$/i.exec(target) ?? [];
  if (authority === undefined) return undefined;
  const { path, query } = parseTarget(rest.startsWith("/") ? rest : `/${rest}`, method) ?? { path: "/", query: "" };
  return { path, query, authority };
}

/** HTTP/1.1 requests have exactly one Host (RFC 9112 3.2). */
function hostField(fields: readonly Field[], minorVersion: 0 | 1): string | Refusal {
  let host: string | undefined;
  for (const { role, value } of fields) {
    if (role !== "host") continue;
    if (host !== undefined) return refused(400, "more than one Host");
    host = value;
  }
  if (host === undefined && minorVersion === 1) return refused(400, "no Host");
  return host ?? "";
}

/** `host[:port]` of RFC 3986 without user information; empty is allowed to requests that are for nobody in particular. */
export function isAuthority(text: string): boolean {
  return /^([A-Za-z0-9._~%!$&'()*+,;=-]*|\[[0-9A-Fa-f:.]+\])(:\d{0,5})?$/.test(text);
}
