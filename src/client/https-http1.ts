/** Requests over HTTP/1.1, for servers and proxies without HTTP/2; plain HTTP, too (`kubectl proxy`). */
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as TlsAgent, request as httpsRequest } from "node:https";
import type { ConnectionOptions } from "node:tls";
import type { ApiResponse } from "../api/request.ts";
import type { Connection } from "./https-connect.ts";
import type { TransportRequest } from "./transport.ts";

/** `tls` is empty for plain HTTP. */
export function http1Connection(url: URL, tls: ConnectionOptions): Connection {
  const secure = url.protocol === "https:";
  const agent = secure ? new TlsAgent({ ...tls, ALPNProtocols: ["http/1.1"], keepAlive: true }) : new Agent({ keepAlive: true });
  const base = url.pathname.replace(/\/$/, "");
  let closed = false;
  return {
    // The agent may take a connection that died while it was idle.
    fresh: false,
    get usable() {
      return !closed;
    },
    send({ method, path, query, headers, body, signal }: TransportRequest): Promise<ApiResponse> {
      const search = query === undefined || query.size === 0 ? "" : `?${query}`;
      const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      return new Promise((resolve, reject) => {
        const request = (secure ? httpsRequest : httpRequest)({
          agent,
          host: url.hostname.replace(/^\[|\]$/g, ""),
          port: url.port,
          method,
          path: `${base}${path}${search}`,
          headers: { ...headers, ...(bytes === undefined ? {} : { "content-length": bytes.length }) },
          ...(signal === undefined ? {} : { signal }),
        });
        request.once("error", reject);
        request.once("response", (message) => resolve(response(message)));
        request.end(bytes);
      });
    },
    async close() {
      closed = true;
      agent.destroy();
    },
  };
}

function response(message: IncomingMessage): ApiResponse {
  const headers = Object.entries(message.headers).filter((entry): entry is [string, string | string[]] => entry[1] !== undefined);
  return { status: message.statusCode ?? 0, headers: Object.fromEntries(headers), body: { kind: "chunks", chunks: message } };
}
