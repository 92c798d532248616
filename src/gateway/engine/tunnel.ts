/**
 * Two sockets joined for as long as both want (RFC 9110 7.8): WebSockets and other upgraded protocols. Each side waits for the
 * other, an end passes on by itself so that the other direction goes on, a broken side breaks the other. No time limit: an idle
 * WebSocket is nobody's fault. Works for plain sockets and TLS.
 */

/** Takes both, paused; `closed` is called once when both are gone. */
import type { StreamSocket } from "../../net/stream-socket.ts";

export function openTunnel(client: StreamSocket, upstream: StreamSocket, closed: () => void): void {
  let open = 2;
  const gone = () => {
    open -= 1;
    if (open === 0) closed();
  };
  for (const socket of [client, upstream]) {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
  }
  forward(client, upstream, gone);
  forward(upstream, client, gone);
  client.resume();
  upstream.resume();
}

function forward(from: StreamSocket, to: StreamSocket, gone: () => void): void {
  from.on("data", (bytes: Buffer) => {
    if (!to.write(bytes)) from.pause();
  });
  to.on("drain", () => from.resume());
  from.on("end", () => to.end());
  from.on("error", noticedAtClose);
  from.on("close", () => {
    // What it sent is with `to` already; only an end that never came is passed on as a break.
    if (from.readableEnded) to.end();
    else to.destroy();
    gone();
  });
}

function noticedAtClose(): void {
  // `close` follows.
}
