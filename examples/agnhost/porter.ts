/** `porter`: one server for each variable `SERVE_PORT_<n>` or `SERVE_TLS_PORT_<n>`, which answers the variable's value. */
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { readFlags } from "./flags.ts";
import { endWithSignals, listenHost } from "./servers.ts";

export function porter(words: readonly string[]): void {
  const flags = readFlags(words, { "json-response": false });
  endWithSignals();
  for (const [name, body = ""] of Object.entries(process.env)) {
    const [, tls, port] = /^SERVE_(TLS_)?PORT_(\d+)$/.exec(name) ?? [];
    if (name.startsWith("SERVE_SCTP_PORT_")) throw new Error(`${name}: SCTP is not supported here`);
    if (port !== undefined) listen(Number(port), tls !== undefined, answer(body, flags.flag("json-response")));
  }
}

function answer(body: string, json: boolean): RequestListener {
  return (request, response) => {
    if (!json) return response.end(body);
    response.setHeader("content-type", "application/json");
    return response.end(JSON.stringify({ method: request.method, body }));
  };
}

function listen(port: number, tls: boolean, listener: RequestListener): void {
  if (!tls) return void createServer(listener).listen(port, listenHost);
  const cert = readFileSync(process.env["CERT_FILE"] ?? "/localhost.crt");
  const key = readFileSync(process.env["KEY_FILE"] ?? "/localhost.key");
  createSecureServer({ cert, key }, listener).listen(port, listenHost);
}
