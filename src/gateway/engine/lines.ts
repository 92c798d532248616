/** Header lines that are passed on: what is the connection's own stays here, what says who the client is comes from here. */
import type { HeaderChange } from "../../decide/routes/index.ts";
import type { AnswerBody, ClientInfo, ProxiedRequest } from "./client-side.ts";
import type { Forward } from "./router.ts";

/** Of each connection the last: its requests mostly name the same host. */
const identities = new WeakMap<ClientInfo, { readonly authority: string; readonly lines: string }>();

/** Who asks, for the endpoint. The client's own claims were dropped; `hops` are those of proxies that are trusted. */
export function identityLines(client: ClientInfo, authority: string): string {
  const known = identities.get(client);
  if (known?.authority === authority) return known.lines;
  // By way of bytes: text that was put together of parts is put together again each time that it is written.
  const lines = Buffer.from(linesOf(client, authority), "latin1").toString("latin1");
  identities.set(client, { authority, lines });
  return lines;
}

function linesOf({ address, scheme, port, hops }: ClientInfo, authority: string): string {
  return `X-Forwarded-For: ${hops?.join(", ") ?? address}\r\nX-Forwarded-Host: ${authority}\r\nX-Forwarded-Port: ${port}\r\nX-Forwarded-Proto: ${scheme}\r\nX-Real-IP: ${address}\r\n`;
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

/** The request as the endpoint gets it. */
export function endpointHead(
  request: ProxiedRequest,
  { target, authority, changes }: Pick<Forward, "target" | "authority" | "changes">,
): string {
  const change = changes.request;
  const lines = change === undefined ? request.lines() : request.lines(replacedNames(change)) + addedLines(change);
  const upgrade = request.upgrade === undefined ? "" : `Connection: Upgrade\r\nUpgrade: ${request.upgrade}\r\n`;
  const framing = framingLine(request.body.kind === "chunked" ? { kind: "stream" } : request.body, true);
  return `${request.method} ${target} HTTP/1.1\r\nHost: ${authority}\r\n${lines}${identityLines(request.client, request.authority)}${upgrade}${framing}\r\n`;
}
