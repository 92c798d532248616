/** A request as a line: Apache's "combined" format, or JSON. Pure. */
import type { RequestRecord } from "./engine/requests.ts";

export const accessLogFormats = ["combined", "json"] as const;
export type AccessLogFormat = (typeof accessLogFormats)[number];

/** Undefined: the record has no details (`RecordOptions.details`). With its line end. */
export function accessLogLine(record: RequestRecord, format: AccessLogFormat): string | undefined {
  if (record.detail === undefined) return undefined;
  return format === "json" ? jsonLine(record, record.detail) : combinedLine(record, record.detail);
}

type Detail = NonNullable<RequestRecord["detail"]>;

/** https://httpd.apache.org/docs/2.4/logs.html#combined; nobody tells us the identd name. */
function combinedLine(
  { status, user }: RequestRecord,
  { at, address, method, target, httpVersion, bytes, referer, userAgent }: Detail,
): string {
  const request = `${method} ${target} HTTP/${httpVersion}`;
  return `${address} - ${word(user)} [${apacheTime(at)}] ${quoted(request)} ${status} ${bytes === 0 ? "-" : bytes} ${quoted(referer)} ${quoted(userAgent)}\n`;
}

/** What a client says can end neither its quotes nor the line, nor move a terminal's cursor. */
function quoted(text: string | undefined): string {
  return text === undefined || text === "" ? '"-"' : `"${text.replace(/["\\]/g, "\\$&").replace(/[^\x20-\x7e]/g, escaped)}"`;
}

function word(text: string | undefined): string {
  return text === undefined || text === "" ? "-" : text.replace(/[^!-~]|["\\]/g, escaped);
}

function escaped(character: string): string {
  return [...Buffer.from(character)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** `10/Oct/2026:13:55:36 +0000`. */
function apacheTime(at: number): string {
  const time = new Date(at);
  const two = (number: number) => String(number).padStart(2, "0");
  const clock = [time.getUTCHours(), time.getUTCMinutes(), time.getUTCSeconds()].map(two).join(":");
  return `${two(time.getUTCDate())}/${months[time.getUTCMonth()]}/${time.getUTCFullYear()}:${clock} +0000`;
}

function jsonLine({ status, reason, endpoint, user, route, milliseconds }: RequestRecord, detail: Detail): string {
  const { at, bytes, trace, httpVersion, userAgent, ...asked } = detail;
  const { source } = route ?? {};
  const object = source === undefined ? undefined : `${source.kind} ${source.namespace}/${source.name}`;
  const seconds = Math.round(milliseconds) / 1000;
  const line = {
    time: new Date(at).toISOString(),
    ...asked,
    protocol: `HTTP/${httpVersion}`,
    userAgent,
    user,
    status,
    reason,
    bytes,
    seconds,
  };
  return `${JSON.stringify({ ...line, object, route: route?.id, endpoint: endpoint?.replace(" ", ":"), traceId: trace?.traceId })}\n`;
}
