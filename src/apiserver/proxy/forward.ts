/** One request on to a pod and its answer back, over a connection that the caller opens. Streams both ways but for the request's body, which is here already. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";
import type { ApiRequest, ApiResponse } from "../../api/request.ts";
import { unavailableError } from "../../api/status.ts";
import { errorMessage } from "../../lib/errors.ts";
import { rewriteHtml, rewriteUrl, type ProxyBase } from "./rewrite.ts";

export interface ProxyCall {
  readonly request: ApiRequest;
  /** Path and query for the backend: `/some/path?a=b`. */
  readonly target: string;
  readonly scheme: "http" | "https";
  readonly base: ProxyBase;
  readonly connect: () => Promise<Duplex>;
}

/** Of one hop alone (RFC 9110 7.6.1), and what is between the client and this server: credentials never reach a pod. */
const dropped: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
  "content-length",
  "authorization",
  "proxy-authorization",
]);
/** Longer pages go through as they are. */
const maxHtml = 8 << 20;

/** Throws 503 when the backend does not answer. */
export async function forward(call: ProxyCall): Promise<ApiResponse> {
  const { base } = call;
  const incoming = await sent(call).catch((error: unknown) => {
    throw unavailableError(`error trying to reach service: ${errorMessage(error)}`);
  });
  const headers = answerHeaders(incoming, base);
  const status = incoming.statusCode ?? 502;
  const isHtml = /^\s*text\/html\s*(;|$)/i.test(incoming.headers["content-type"] ?? "");
  if (!isHtml || incoming.headers.location !== undefined || incoming.headers["content-encoding"] !== undefined)
    return { status, headers, body: { kind: "chunks", chunks: incoming } };
  const { "content-length": _, ...rest } = headers;
  return { status, headers: rest, body: { kind: "chunks", chunks: rewritten(incoming, base) } };
}

async function sent(call: ProxyCall): Promise<IncomingMessage> {
  const { request, target, scheme, base } = call;
  const socket = await call.connect();
  // Upstream, too, takes any certificate: what is asked for is the pod, and the way to it is the cluster's own.
  const connection = scheme === "https" ? tlsConnect({ socket, rejectUnauthorized: false }) : socket;
  connection.on("error", () => connection.destroy());
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      createConnection: () => connection as never,
      method: request.method,
      path: target,
      headers: requestHeaders(call),
      host: base.backend,
    });
    outgoing.on("response", resolve);
    outgoing.on("error", reject);
    const stop = () => connection.destroy();
    request.signal?.addEventListener("abort", stop, { once: true });
    outgoing.once("close", () => {
      request.signal?.removeEventListener("abort", stop);
      connection.destroy();
    });
    outgoing.end(bodyOf(request));
  });
}

function bodyOf({ body }: ApiRequest): Uint8Array | string | undefined {
  return body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body);
}

export function requestHeaders({ request, target, base }: ProxyCall): Record<string, string> {
  const kept = Object.entries(request.headers).filter(([name]) => !dropped.has(name) && !name.startsWith("impersonate-"));
  return {
    ...Object.fromEntries(kept),
    host: base.backend,
    // A page that comes compressed could not be rewritten.
    "accept-encoding": "identity",
    "x-forwarded-uri": `${base.prefix}${target.split("?", 1)[0]}`,
    "x-forwarded-host": base.host,
    "x-forwarded-proto": "https",
    connection: "close",
  };
}

function answerHeaders(incoming: IncomingMessage, base: ProxyBase): Record<string, string | readonly string[]> {
  const headers: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value === undefined || (dropped.has(name) && name !== "content-length")) continue;
    headers[name] = name === "location" ? rewriteUrl(String(value), base) : value;
  }
  return headers;
}

async function* rewritten(incoming: IncomingMessage, base: ProxyBase): AsyncGenerator<Uint8Array> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of incoming) {
    if (size > maxHtml) {
      yield piece as Buffer;
      continue;
    }
    pieces.push(piece as Buffer);
    size += (piece as Buffer).length;
    if (size > maxHtml) yield Buffer.concat(pieces);
  }
  if (size <= maxHtml) yield Buffer.from(rewriteHtml(Buffer.concat(pieces).toString("utf8"), base));
}
