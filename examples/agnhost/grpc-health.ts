/** `grpc-health-checking`: grpc.health.v1.Health/Check over HTTP/2, with switches over HTTP (grpc/grpc doc/health-checking.md). */
import { createServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { readFlags } from "./flags.ts";
import { endWithSignals, listenHost } from "./servers.ts";

const serving = 1;
const notServing = 2;
/** grpc.Code */
const ok = "0";
const notFound = "5";

export function grpcHealth(words: readonly string[]): void {
  const flags = readFlags(words, { port: "5000", "http-port": "8080", service: "", "delay-unhealthy-sec": "-1" });
  const delay = flags.number("delay-unhealthy-sec");
  let status = delay === 0 ? notServing : serving;
  if (delay > 0) setTimeout(() => (status = notServing), delay * 1000);
  endWithSignals();
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", () => stream.close());
    stream.on("end", () => {
      const known = serviceOf(Buffer.concat(chunks)) === flags.text("service");
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": known ? ok : notFound }));
      stream.end(known ? Buffer.from([0, 0, 0, 0, 2, 0x08, status]) : undefined);
    });
  });
  server.listen(flags.number("port"), listenHost);
  createServer((request, response) => {
    if (request.url === "/make-serving") status = serving;
    else if (request.url === "/make-not-serving") status = notServing;
    else response.statusCode = 404;
    response.end();
  }).listen(flags.number("http-port"), listenHost);
}

/** `HealthCheckRequest { string service = 1; }` behind gRPC's five-byte prefix; names up to 127 bytes. */
function serviceOf(request: Buffer): string {
  const message = request.subarray(5);
  return message[0] === 0x0a ? message.subarray(2, 2 + (message[1] ?? 0)).toString() : "";
}
