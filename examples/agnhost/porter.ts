/** `porter`: one server for each variable `SERVE_PORT_<n>` or `SERVE_TLS_PORT_<n>`, which answers the variable's value. */
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { readFlags } from "./flags.ts";
import { endWithSignals, listenHost } from "./servers.ts";

export async function porter(words: readonly string[]): Promise<void> {
  const flags = readFlags(words, { "json-response": false });
  endWithSignals();
  const secure = await secureOptions();
  for (const [name, body = ""] of Object.entries(process.env)) {
    const [, tls, port] = /^SERVE_(TLS_)?PORT_(\d+)$/.exec(name) ?? [];
    if (name.startsWith("SERVE_SCTP_PORT_")) throw new Error(`${name}: SCTP is not supported here`);
    if (port === undefined) continue;
    const listener = answer(body, flags.flag("json-response"));
    const server = tls === undefined ? createServer(listener) : createSecureServer(secure, listener);
    server.listen(Number(port), listenHost);
  }
}

/** What Go's servers take for HTML where nobody says what it is (WHATWG mimesniff 7.1); the API server's proxy rewrites the links of such pages. */
const isHtml = /^\s*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|!--)[ >]/i;

function answer(body: string, json: boolean): RequestListener {
  return (request, response) => {
    if (!json) {
      response.setHeader("content-type", isHtml.test(body) ? "text/html; charset=utf-8" : "text/plain; charset=utf-8");
      return response.end(body);
    }
    response.setHeader("content-type", "application/json");
    return response.end(JSON.stringify({ method: request.method, body }));
  };
}

/** The files that the variables name; else a certificate of its own for localhost, as the image carries one. */
async function secureOptions(): Promise<{ readonly cert?: string; readonly key?: string }> {
  if (!Object.keys(process.env).some((name) => name.startsWith("SERVE_TLS_PORT_"))) return {};
  const [cert, key] = [process.env["CERT_FILE"], process.env["KEY_FILE"]];
  if (cert !== undefined && key !== undefined) return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  const { issueCertificate, newKeyPair, privateKeyPem } = await import("../../src/lib/x509/x509.ts");
  const keys = newKeyPair();
  const now = Date.now();
  const [subject, names] = [{ commonName: "localhost" }, ["localhost", "127.0.0.1", "::1"]];
  const day = 86_400_000;
  const issued = issueCertificate({ subject, keys, names, usage: "server", notBefore: now - day, notAfter: now + 365 * day });
  return { cert: issued, key: privateKeyPem(keys) };
}
