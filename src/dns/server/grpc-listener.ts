/**
 * DNS over gRPC as CoreDNS has it (`pb/dns.proto`: `coredns.dns.DnsService/Query`, one message in field 1 each way). TLS where
 * the block has a certificate, HTTP/2 in the clear without.
 */
import { createSecureServer, createServer, type Http2Server, type ServerHttp2Stream, type IncomingHttpHeaders } from "node:http2";
import type { Server } from "node:net";
import type { AnswerPacket, Listener, ListenerOptions } from "./listener.ts";
import { handshakeTimeout, ignore, unlimited } from "./listener.ts";
import { bound, clientOf } from "./tcp-listener.ts";
import { tlsOptions } from "./tls-options.ts";
import { readPacket, writePacket } from "../wire/grpc-packet.ts";

export const grpcPath = "/coredns.dns.DnsService/Query";
const maxBytes = 65_535 + 64;
const codes = { OK: 0, INVALID_ARGUMENT: 3, RESOURCE_EXHAUSTED: 8, UNIMPLEMENTED: 12, UNAVAILABLE: 14 } as const;

export function listenGrpc(options: ListenerOptions): Promise<Listener> {
  const { settings, answer } = options;
  const streams = settings.maxStreams ?? 256;
  const common = { settings: streams > 0 ? { maxConcurrentStreams: streams } : {}, maxSessionMemory: 4 };
  const server: Http2Server =
    settings.tls === undefined
      ? createServer(common)
      : (createSecureServer({ ...tlsOptions(settings.tls), ...common, handshakeTimeout }) as unknown as Http2Server);
  server.on("sessionError", ignore);
  server.on("tlsClientError", ignore);
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", ignore);
    void serve(stream, headers, answer).catch(() => stream.close());
  });
  const connections = settings.maxConnections ?? 200;
  return bound(server as unknown as Server, {
    ...options,
    settings: { ...settings, maxConnections: connections === 0 ? unlimited : connections },
  });
}

async function serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, answer: AnswerPacket): Promise<void> {
  if (headers[":path"] !== grpcPath) return end(stream, codes.UNIMPLEMENTED, "there is only Query");
  const body = await collect(stream);
  if (body === undefined) return end(stream, codes.RESOURCE_EXHAUSTED, "the message is too large");
  const packet = readPacket(body);
  if (packet === undefined) return end(stream, codes.INVALID_ARGUMENT, "no DnsPacket");
  const client =
    stream.session?.socket === undefined ? { address: "", port: 0, protocol: "tcp" as const } : clientOf(stream.session.socket);
  const bytes = await answer(packet, { ...client, transport: "grpc" });
  const first = bytes instanceof Uint8Array ? bytes : bytes?.[0];
  if (first === undefined) return end(stream, codes.UNAVAILABLE, "there is no answer");
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": String(codes.OK) }));
  stream.end(writePacket(first));
}

async function collect(stream: ServerHttp2Stream): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += (chunk as Buffer).length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function end(stream: ServerHttp2Stream, code: number, message: string): void {
  stream.respond(
    { ":status": 200, "content-type": "application/grpc", "grpc-status": String(code), "grpc-message": message },
    { endStream: true },
  );
}
