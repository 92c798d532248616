/** An HTTP request as an `ApiRequest`: method, decoded path, headers, whole body. */
import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import type { ApiRequest } from "../../api/request.ts";
import { badRequestError, StatusError, tooLargeError } from "../../api/status.ts";
import type { Clock } from "../../lib/clock.ts";
import type { RequestLimits } from "./limits.ts";

export type HttpRequest = IncomingMessage | Http2ServerRequest;

export type RequestHead = Pick<ApiRequest, "method" | "path" | "query" | "target" | "headers">;

const methods: ReadonlySet<string> = new Set<ApiRequest["method"]>(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Throws 400 and 405. */
export function readHead(request: HttpRequest): RequestHead {
  const method = request.method ?? "";
  if (!methods.has(method)) throw methodUnknown(method);
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  return {
    method: method as ApiRequest["method"],
    path: decodePath(mark < 0 ? url : url.slice(0, mark)),
    target: url,
    query: new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1)),
    headers: readHeaders(request),
  };
}

function methodUnknown(method: string): StatusError {
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `the method ${JSON.stringify(method)} is not known to this server`,
    reason: "MethodNotAllowed",
    code: 405,
  });
}

/** Once: `%252F` stays `%2F`, which no name may contain. */
function decodePath(path: string): string {
  if (!path.startsWith("/")) throw badRequestError("the request's target must be a path");
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    throw badRequestError("the request's path has a percent sign without two hexadecimal digits of UTF-8");
  }
}

function readHeaders(request: HttpRequest): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    // HTTP/2 has no Host; whoever asks for one means this.
    if (name === ":authority" && value !== undefined) headers["host"] ??= String(value);
    else if (value !== undefined && !name.startsWith(":")) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return headers;
}

/** The body in one piece; undefined when there is none. Throws 413, and 408 when it does not come. */
export function readBytes(
  request: HttpRequest,
  limits: Pick<RequestLimits, "bodyBytes" | "bodyTimeout">,
  clock: Clock,
): Promise<Buffer | undefined> {
  if (request.method === "GET" || request.method === "HEAD") return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = Number(request.headers["content-length"] ?? 0);
    if (size > limits.bodyBytes) return reject(tooLarge(limits.bodyBytes));
    size = 0;
    const timer = clock.after(limits.bodyTimeout, () => reject(tooSlow(limits.bodyTimeout)));
    const end = (act: () => void) => {
      timer.cancel();
      act();
    };
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limits.bodyBytes) end(() => reject(tooLarge(limits.bodyBytes)));
      else chunks.push(chunk);
    });
    request.on("end", () => end(() => resolve(size === 0 ? undefined : chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))));
    request.on("error", (error: Error) => end(() => reject(error)));
    request.on("aborted", () => end(() => reject(badRequestError("the client went away before its request was whole"))));
  });
}

const tooLarge = (limit: number): StatusError => tooLargeError(`Request entity too large: limit is ${limit}`);

function tooSlow(milliseconds: number): StatusError {
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `the request's body did not come within ${milliseconds / 1000} seconds`,
    reason: "Timeout",
    code: 408,
  });
}
