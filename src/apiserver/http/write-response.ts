/** An `ApiResponse` as HTTP: whole, in pieces, or as a watch that lasts. The pace is the client's. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import { compressed, compressedPieces } from "./compress.ts";
import type { Departure } from "./departure.ts";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ApiBody, ApiResponse, WatchStream } from "../../api/request.ts";

export type HttpResponse = ServerResponse | Http2ServerResponse;

/** Resolves when everything is handed to the connection, or the client is gone. Rejects when the body's source fails. */
export async function writeResponse(
  http: HttpResponse,
  { status, headers, body }: ApiResponse,
  departure: Departure,
  gzip = false,
): Promise<void> {
  if (http.destroyed) return release(body);
  http.statusCode = status;
  for (const [name, value] of Object.entries(headers)) http.setHeader(name, typeof value === "string" ? value : [...value]);
  switch (body.kind) {
    case "empty":
      http.end();
      return;
    case "bytes":
      return whole(http, body.bytes, gzip);
    case "object": {
      const encoded = body.encoded?.() ?? Buffer.from(JSON.stringify(body.object));
      return encoded instanceof Uint8Array ? whole(http, encoded, gzip) : long(http, encoded, departure, gzip);
    }
    case "chunks":
      return pieces(http, body.chunks, departure);
    case "watch":
      return events(http, body.stream, departure);
    default:
      return body satisfies never;
  }
}

function release(body: ApiBody): void {
  if (body.kind === "watch") body.stream.close();
}

/** Whether a body comes at the pace of what happens: such a request does not count as under way. */
export function lasts({ kind }: ApiBody): boolean {
  return kind === "watch" || kind === "chunks";
}

async function whole(http: HttpResponse, bytes: Uint8Array, gzip: boolean): Promise<void> {
  const short = gzip ? await compressed(bytes) : undefined;
  if (http.destroyed) return;
  if (short !== undefined) markGzip(http);
  http.setHeader("content-length", (short ?? bytes).length);
  http.end(short ?? bytes);
}

async function long(http: HttpResponse, chunks: AsyncIterable<Uint8Array>, departure: Departure, gzip: boolean): Promise<void> {
  if (!gzip) return pieces(http, chunks, departure);
  const short = await compressedPieces(chunks);
  if (short.gzip) markGzip(http);
  return pieces(http, short.chunks, departure);
}

function markGzip(http: HttpResponse): void {
  http.setHeader("content-encoding", "gzip");
  http.setHeader("vary", "accept-encoding");
}

async function pieces(http: HttpResponse, chunks: AsyncIterable<Uint8Array>, departure: Departure): Promise<void> {
  flush(http);
  for await (const chunk of chunks) {
    if (departure.gone || http.destroyed) break;
    if (!write(http, chunk)) await drained(http, departure);
    // Others get their turn between the pieces of a long list.
    else await nextTurn();
  }
  if (!http.destroyed) http.end();
}

const newline = Buffer.from("\n");

async function events(http: HttpResponse, stream: WatchStream, departure: Departure): Promise<void> {
  flush(http);
  for await (const event of stream) {
    if (departure.gone || http.destroyed) break;
    const line = event.bytes();
    if (!write(http, stream.framed === true ? line : Buffer.concat([line, newline], line.length + 1))) await drained(http, departure);
  }
  if (!http.destroyed) http.end();
}

/** The headers go out now: a client waits for them before it waits for events. */
function flush(http: HttpResponse): void {
  // Both classes have it; only one declares it.
  (http as ServerResponse).flushHeaders();
}

function write(http: HttpResponse, chunk: Uint8Array): boolean {
  // The two classes declare the same method with signatures that cannot be called as one.
  return (http as ServerResponse).write(chunk);
}

async function drained(http: HttpResponse, departure: Departure): Promise<void> {
  try {
    await once(http as ServerResponse, "drain", { signal: departure.signal });
  } catch (error) {
    if (!departure.gone && !http.destroyed) throw error;
  }
}
