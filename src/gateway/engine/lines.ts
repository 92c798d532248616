/** Header lines that are passed on: what is the connection's own stays here, what says who the client is comes from here. */
import type { HeaderChange } from "../../decide/routes/index.ts";
import type { Field } from "../http1/fields.ts";
import type { AnswerBody, ClientInfo } from "./client-side.ts";

/** The lines of the fields that `keep` wants, copied in runs. */
export function keptLines(text: string, fields: readonly Field[], keep: (field: Field) => boolean): string {
  let out = "";
  let from = -1;
  let to = 0;
  for (const field of fields) {
    if (keep(field)) {
      if (from < 0) from = field.start;
      to = field.end;
    } else if (from >= 0) {
      out += text.slice(from, to);
      from = -1;
    }
  }
  return from < 0 ? out : out + text.slice(from, to);
}

/** Of a request, to the endpoint. Host, framing and Upgrade are written anew. */
export function goesToEndpoint({ role, name }: Field, connection: readonly string[]): boolean {
  return (role === "end-to-end" || role === "expect") && !(connection.length > 0 && connection.includes(name));
}

/** Of an answer, to the client. */
export function goesToClient({ role, name }: Field, connection: readonly string[]): boolean {
  return (role === "end-to-end" || role === "client-identity") && !(connection.length > 0 && connection.includes(name));
}

/** Who asks, for the endpoint. The client's own claims were dropped: there is no trusted proxy in front of us. */
export function identityLines({ address, scheme, port }: ClientInfo, authority: string): string {
  return `X-Forwarded-For: ${address}\r\nX-Forwarded-Host: ${authority}\r\nX-Forwarded-Port: ${port}\r\nX-Forwarded-Proto: ${scheme}\r\nX-Real-IP: ${address}\r\n`;
}

/** How the answer's body is framed on an HTTP/1.1 connection. */
export function framingLine(body: AnswerBody, chunked: boolean): string {
  switch (body.kind) {
    case "length":
      return `Content-Length: ${body.length}\r\n`;
    case "none":
      return body.contentLength === undefined ? "" : `Content-Length: ${body.contentLength}\r\n`;
    case "stream":
      return chunked ? "Transfer-Encoding: chunked\r\n" : "";
  }
}

/** Names whose lines a change takes out before it writes its own. */
export function replacedNames(change: HeaderChange): ReadonlySet<string> {
  return new Set([...change.remove, ...change.set.map(({ name }) => name)]);
}

export function addedLines({ set, add }: HeaderChange): string {
  return [...set, ...add].map(({ name, value }) => `${name}: ${value}\r\n`).join("");
}

/** Lines of header fields without those of these names. */
export function withoutNames(lines: string, names: ReadonlySet<string>): string {
  return lines
    .split("\r\n")
    .filter((line) => line !== "" && !names.has(line.slice(0, line.indexOf(":")).toLowerCase()))
    .map((line) => `${line}\r\n`)
    .join("");
}
