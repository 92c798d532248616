/** Refusals written straight onto a connection, where there is no response object to write to. */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { StatusError } from "../../api/status.ts";

/** Answers and ends the connection. */
export function refuseUpgrade(socket: Duplex, { status }: StatusError): void {
  if (!socket.writable) return void socket.destroy();
  const code = status.code ?? 500;
  const body = Buffer.from(JSON.stringify(status));
  const head = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? "Error"}`,
    "content-type: application/json",
    `content-length: ${body.length}`,
    `date: ${new Date().toUTCString()}`,
    "connection: close",
  ];
  socket.end(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]));
  // Cut off at once, the connection would be reset while the client still writes, and the refusal be lost with it.
  socket.resume();
  (socket as Socket).setTimeout(lastWords, () => socket.destroy());
}

/** Milliseconds of silence that a refused client is given to hang up by itself. */
const lastWords = 1000;

/** HTTP status and text for what Node's HTTP/1.1 parser reports. */
export function statusText(code: string | undefined): readonly [number, string] {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return [431, "the request's headers are too large"];
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return [408, "the request did not come in time"];
    default:
      return [400, "the request is not valid HTTP"];
  }
}
