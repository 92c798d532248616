/** DNS over HTTPS (RFC 8484): POST and GET at /dns-query, by HTTP/2 and 1.1. */
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { Server } from "node:net";
import type { TLSSocket } from "node:tls";
import { decode } from "../wire/decode.ts";
import type { Answer } from "./answer.ts";
import { handshakeTimeout, ignore, unlimited, type AnswerPacket, type Listener, type ListenerOptions } from "./listener.ts";
import { bound, clientOf, mayEnter } from "./tcp-listener.ts";
import { tlsOptions } from "./tls-options.ts";

const path = "/dns-query";
const mediaType = "application/dns-message";
const maxMessage = 65_535;
const defaultConnections = 200;

export function listenHttps(options: ListenerOptions): Promise<Listener> {
  const { settings, answer } = options;
  const server = createSecureServer(
    { ...tlsOptions(settings.tls), allowHTTP1: true, maxSessionMemory: 4, handshakeTimeout },
    (request, response) => {
      request.on("error", ignore);
      response.on("error", ignore);
      void serve(request, response, answer).catch(() => response.stream?.close());
    },
  );
  server.on("secureConnection", (socket: TLSSocket) => void (mayEnter(socket, settings) || socket.destroy()));
  server.on("sessionError", ignore);
  server.on("tlsClientError", ignore);
  server.setTimeout(settings.idleMs ?? 30_000);
  const connections = settings.maxConnections ?? defaultConnections;
  return bound(server as unknown as Server, {
    ...options,
    settings: { ...settings, maxConnections: connections === 0 ? unlimited : connections },
  });
}

async function serve(request: Http2ServerRequest, response: Http2ServerResponse, answer: AnswerPacket): Promise<void> {
  const query = await readQuery(request);
  if (query.kind === "refused") {
    response.writeHead(query.status, { "content-type": "text/plain; charset=utf-8" });
    return void response.end(`${query.reason}\n`);
  }
  const bytes = single(await answer(query.packet, { ...clientOf(request.socket), transport: "https" }));
  if (bytes === undefined) {
    response.writeHead(400);
    return void response.end();
  }
  response.writeHead(200, { "content-type": mediaType, "content-length": bytes.length, "cache-control": `max-age=${maxAge(bytes)}` });
  response.end(bytes);
}

/** A transfer does not fit into one answer of HTTP. */
const single = (bytes: Answer): Uint8Array | undefined => (bytes instanceof Uint8Array ? bytes : bytes?.[0]);

type Query =
  | { readonly kind: "query"; readonly packet: Uint8Array }
  | { readonly kind: "refused"; readonly status: number; readonly reason: string };

const refuse = (status: number, reason: string): Query => ({ kind: "refused", status, reason });

async function readQuery(request: Http2ServerRequest): Promise<Query> {
  const url = new URL(request.url, "https://localhost");
  if (url.pathname !== path) return refuse(404, `there is only ${path}`);
  switch (request.method) {
    case "GET":
      return fromParameter(url.searchParams.get("dns"));
    case "POST":
      if (request.headers["content-type"] !== mediaType) return refuse(415, `expected content-type ${mediaType}`);
      return await fromBody(request);
    default:
      return refuse(405, "expected GET or POST");
  }
}

function fromParameter(text: string | null): Query {
  if (text === null || !/^[\w-]+$/.test(text)) return refuse(400, "parameter dns must hold a message in base64url without padding");
  return { kind: "query", packet: Buffer.from(text, "base64url") };
}

async function fromBody(request: Http2ServerRequest): Promise<Query> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > maxMessage) return refuse(413, "a message has at most 65535 bytes");
    chunks.push(chunk as Buffer);
  }
  return { kind: "query", packet: Buffer.concat(chunks) };
}

/** Seconds for which an HTTP cache may keep it: the least TTL of the answer (RFC 8484 5.1). */
function maxAge(bytes: Uint8Array): number {
  const decoded = decode(bytes);
  if (decoded.kind === "error") return 0;
  const { answers, authorities } = decoded.message;
  const ttls = [...answers, ...authorities].map(({ ttl }) => ttl);
  return ttls.length === 0 ? 0 : Math.min(...ttls);
}
