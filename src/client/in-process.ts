/**
 * The way to an API server in the same process: a call. The server does all that it does for a remote client (authorization,
 * admission, validation), but objects cross by reference, frozen, and watches hand on the objects that the server's cache
 * shares.
 */
import type { ApiBody, ApiHandler, ApiResponse, UserInfo } from "../api/request.ts";
import { unavailableError } from "../api/status.ts";
import { readBytes } from "./body.ts";
import type { Transport, TransportRequest } from "./transport.ts";

export interface InProcessOptions {
  /** Sends bytes both ways, as HTTPS would: slower, and finds what only encoding breaks. */
  readonly encode?: boolean;
}

/** Requests are made as `user`: who composes the program vouches for it. */
export function inProcessTransport(handler: ApiHandler, user: UserInfo, options: InProcessOptions = {}): Transport {
  const closed = new AbortController();
  return {
    async send(request: TransportRequest): Promise<ApiResponse> {
      if (closed.signal.aborted) throw unavailableError("the client is closed");
      const { method, path, query = new URLSearchParams(), headers = {}, body } = request;
      const response = await handler.handle({
        method,
        path: path.includes("%") ? decodeURIComponent(path) : path,
        query,
        headers,
        user,
        signal: request.signal === undefined ? closed.signal : AbortSignal.any([request.signal, closed.signal]),
        ...(body === undefined ? {} : { body: options.encode === true ? Buffer.from(JSON.stringify(body)) : body }),
      });
      return options.encode === true ? { ...response, body: encoded(response.body) } : response;
    },
    async close() {
      closed.abort();
    },
  };
}

function encoded(body: ApiBody): ApiBody {
  return body.kind === "empty" || body.kind === "bytes" ? body : { kind: "chunks", chunks: readBytes(body) };
}
