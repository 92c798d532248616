/** Small HTTP servers of the proxy: one path, one answer. Whoever can reach the node may ask, so everything is bounded. */
import { createServer, type Server } from "node:http";
import { errnoCode, errorMessage, FairleadError } from "../../lib/errors.ts";
import { joinHostPort } from "../../lib/ip.ts";

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What stands at a path; undefined: nothing. */
export type Answering = (path: string) => Answer | undefined;

/** Where a server listens: an address, or a socket that somebody else has opened, in another network namespace say. */
export type Place = { readonly host: string; readonly port: number } | { readonly fd: number };

const limits = { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 5000 } as const;
/** Load balancers ask once in some seconds, over a connection each. */
const maxConnections = 256;

export interface OpenServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Throws FL_LISTEN. */
export async function serve(place: Place, answering: Answering): Promise<OpenServer> {
  const server = createServer({ ...limits }, (request, response) => {
    request.resume();
    const answer = answerTo(request.method ?? "GET", request.url ?? "/", answering);
    response.writeHead(answer.status, { "content-type": answer.type, "x-content-type-options": "nosniff", ...answer.headers });
    response.end(request.method === "HEAD" ? undefined : answer.body);
  });
  server.maxConnections = maxConnections;
  await listening(server, place);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    close: () => closed(server),
  };
}

function answerTo(method: string, url: string, answering: Answering): Answer {
  if (method !== "GET" && method !== "HEAD") return { status: 405, type: "text/plain; charset=utf-8", body: "method not allowed\n" };
  const path = url.split("?")[0] as string;
  return answering(path) ?? { status: 404, type: "text/plain; charset=utf-8", body: "404 page not found\n" };
}

function listening(server: Server, place: Place): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const where = "fd" in place ? `descriptor ${place.fd}` : joinHostPort(place.host, place.port);
      reject(new FairleadError("FL_LISTEN", `${where} cannot be bound (${errnoCode(cause) ?? errorMessage(cause)})`, { cause }));
    });
    server.listen("fd" in place ? { fd: place.fd } : { host: place.host, port: place.port, ipv6Only: place.host === "::" }, resolve);
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
