/** A connection that a client upgrades through the proxy, a WebSocket for one: the request goes on as it came, then bytes both ways. */
import type { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";
import { unavailableError } from "../../api/status.ts";
import { errorMessage } from "../../lib/errors.ts";
import { requestHeaders, type ProxyCall } from "./forward.ts";

/** Resolves when both sides are gone. Throws 503 when the backend cannot be reached: nothing was written to the socket then. */
export async function tunnel(call: ProxyCall, socket: Duplex, head: Buffer): Promise<void> {
  const plain = await call.connect().catch((error: unknown) => {
    throw unavailableError(`error trying to reach service: ${errorMessage(error)}`);
  });
  const backend = call.scheme === "https" ? tlsConnect({ socket: plain, rejectUnauthorized: false }) : plain;
  const { headers } = call.request;
  const lines = Object.entries({ ...requestHeaders(call), connection: "Upgrade", upgrade: headers["upgrade"] ?? "" });
  backend.write(`${call.request.method} ${call.target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
  if (head.length > 0) backend.write(head);
  const end = () => {
    socket.destroy();
    backend.destroy();
  };
  backend.on("error", end);
  socket.on("error", end);
  socket.pipe(backend);
  backend.pipe(socket);
  await Promise.all([socket, backend].map((side) => new Promise<void>((resolve) => void side.once("close", () => (end(), resolve())))));
}
