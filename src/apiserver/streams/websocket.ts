/** Accepts a WebSocket (RFC 6455) on a connection that asks for one. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type RawData, type WebSocket } from "ws";

export interface Upgradable {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Bytes of one message. */
const maxPayload = 1 << 20;
const protocolHeader = "sec-websocket-protocol";

/** Rejects when the client goes away or its handshake is no good; the library has answered it then. */
export function acceptWebSocket({ request, socket, head }: Upgradable, protocol: string): Promise<WebSocket> {
  const server = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false });
  // `SPDY/3.1+portforward.k8s.io` is no token as RFC 6455 has it, and the library refuses it: the answer is written by us.
  delete request.headers[protocolHeader];
  server.on("headers", (lines: string[]) => void lines.push(`Sec-WebSocket-Protocol: ${protocol}`));
  return new Promise((resolve, reject) => {
    socket.once("close", () => reject(new Error("the client went away")));
    server.handleUpgrade(request, socket, head, resolve);
  });
}

export function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** The protocols that a client offers, by its preference. */
export function offeredProtocols(headers: Readonly<Record<string, string>>): readonly string[] {
  return (headers[protocolHeader] ?? "")
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "");
}
