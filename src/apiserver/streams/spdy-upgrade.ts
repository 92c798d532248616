/** Takes a connection over for SPDY/3.1 (apimachinery `pkg/util/httpstream/spdy/upgrade.go`). */
import type { Duplex } from "node:stream";

/** Writes the 101 and gives back what the client sent along with its request. */
export function acceptSpdy(socket: Duplex, head: Buffer, protocol: string): Duplex {
  const lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: SPDY/3.1", `X-Stream-Protocol-Version: ${protocol}`];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  return socket;
}

/** The versions that a client offers: one header each, or all in one. */
export function offeredVersions(headers: Readonly<Record<string, string>>): readonly string[] {
  return (headers["x-stream-protocol-version"] ?? "")
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "");
}
