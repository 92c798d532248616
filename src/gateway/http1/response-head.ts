/** The head of a backend's answer (RFC 9112 4), as strictly: a backend that can be misread is a way to poison others' answers. */
import { bodyLength, connectionOptions, hasForbiddenBytes, malformed, parseFields, type Field, type Malformed } from "./fields.ts";
import { goesToClient, keptLines } from "./passed-on.ts";

export interface ResponseHead {
  readonly kind: "response";
  readonly status: number;
  readonly reason: string;
  readonly minorVersion: 0 | 1;
  /** The head; `fields` point into it. */
  readonly text: string;
  /** The method that it answers. */
  readonly method: string;
  readonly fields: readonly Field[];
  readonly body: ResponseBody;
  readonly connection: readonly string[];
  /** Whether the connection can be used again after the body. */
  readonly keepAlive: boolean;
  /** Seconds that the backend keeps an idle connection (`Keep-Alive: timeout=5`). */
  readonly keepAliveTimeout: number | undefined;
  /** The lines that go on to a client. */
  readonly passedOn: string;
  readonly bytes: number;
}

export type ResponseBody =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  /** Everything until the backend closes. */
  | { readonly kind: "until-close" };

const maxHeadBytes = 65_536;
const maxFields = 256;

/** `before`: of the connection's last answer. An endpoint that says the same again (within a second, mostly) is not read again. */
export function parseResponseHead(
  bytes: Buffer,
  method: string,
  before?: ResponseHead,
): ResponseHead | Malformed | { readonly kind: "incomplete" } {
  const end = bytes.indexOf("\r\n\r\n", 0, "latin1");
  if (end < 0) return bytes.length > maxHeadBytes ? malformed("a head that is too long") : { kind: "incomplete" };
  if (end > maxHeadBytes) return malformed("a head that is too long");
  const text = bytes.toString("latin1", 0, end + 2);
  if (before !== undefined && before.text === text && before.method === method) return before;
  if (hasForbiddenBytes(text)) return malformed("a control character, or a line that does not end with CR LF");
  const [line, minor, status, reason = ""] = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([^\r]*))?\r\n/.exec(text) ?? [];
  if (line === undefined) return malformed("no status line");
  const fields = parseFields(text, line.length, maxFields);
  if ("kind" in fields) return fields;
  const minorVersion = minor === "1" ? 1 : 0;
  const body = responseBody(fields, minorVersion, Number(status), method);
  if (body.kind === "malformed") return body;
  const connection = connectionOptions(fields);
  return {
    kind: "response",
    status: Number(status),
    reason,
    minorVersion,
    text,
    method,
    fields,
    body,
    connection,
    keepAlive: body.kind !== "until-close" && (minorVersion === 1 ? !connection.includes("close") : connection.includes("keep-alive")),
    keepAliveTimeout: timeoutOf(fields),
    passedOn: keptLines(text, fields, (field) => goesToClient(field, connection)),
    bytes: end + 4,
  };
}

/** RFC 9112 6.3: some answers have no body whatever their fields say. */
function responseBody(fields: readonly Field[], minorVersion: 0 | 1, status: number, method: string): ResponseBody | Malformed {
  const body = bodyLength(fields, minorVersion);
  if (body.kind === "malformed") return body;
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return { kind: "none" };
  return body.kind === "none" ? { kind: "until-close" } : body;
}

function timeoutOf(fields: readonly Field[]): number | undefined {
  const value = fields.find(({ role }) => role === "keep-alive")?.value;
  const seconds = value === undefined ? undefined : /(?:^|[\s,;])timeout=(\d{1,6})/i.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}
