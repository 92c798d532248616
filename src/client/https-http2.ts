/** Requests over one HTTP/2 session. Pings notice a server that went away without a word. */
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { ApiResponse } from "../api/request.ts";
import type { Clock, Timer } from "../lib/clock.ts";
import type { Connection } from "./https-connect.ts";
import type { TransportRequest } from "./transport.ts";

/** As client-go's HTTP/2 health check: a ping after so long, and so long for its answer; in milliseconds. */
const ping = { every: 30_000, within: 15_000 };

export async function http2Connection(url: URL, socket: TLSSocket, clock: Clock): Promise<Connection> {
  const session = connect(url.origin, { createConnection: () => socket, settings: { enablePush: false } });
  // Errors reach the requests under way by themselves; one without any is seen by the next request.
  session.on("error", () => session.destroy());
  session.on("goaway", () => session.close());
  const pings = keepAlive(session, clock);
  session.once("close", () => pings.stop());
  await new Promise<void>((resolve, reject) => {
    session.once("connect", () => resolve());
    session.once("error", reject);
    session.once("close", () => reject(new Error("the connection was closed at once")));
  });
  return new Http2Connection(url, session);
}

function keepAlive(session: ClientHttp2Session, clock: Clock): { stop(): void } {
  let timer: Timer;
  const plan = () => {
    timer = clock.after(ping.every, () => {
      if (session.destroyed) return;
      timer = clock.after(ping.within, () => session.destroy(new Error("the server does not answer pings")));
      session.ping((error) => {
        timer.cancel();
        if (error === null && !session.destroyed) plan();
      });
    });
  };
  plan();
  return { stop: () => timer.cancel() };
}

class Http2Connection implements Connection {
  readonly #base: string;
  readonly #session: ClientHttp2Session;
  #fresh = true;

  constructor(url: URL, session: ClientHttp2Session) {
    this.#base = url.pathname.replace(/\/$/, "");
    this.#session = session;
  }

  get fresh(): boolean {
    return this.#fresh;
  }

  get usable(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  async send({ method, path, query, headers, body, signal }: TransportRequest): Promise<ApiResponse> {
    const search = query === undefined || query.size === 0 ? "" : `?${query}`;
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const stream = this.#session.request(
      {
        ...headers,
        [constants.HTTP2_HEADER_METHOD]: method,
        [constants.HTTP2_HEADER_PATH]: `${this.#base}${path}${search}`,
        ...(bytes === undefined ? {} : { [constants.HTTP2_HEADER_CONTENT_LENGTH]: bytes.length }),
      },
      { endStream: bytes === undefined },
    );
    const abort = () => stream.close(constants.NGHTTP2_CANCEL);
    signal?.addEventListener("abort", abort, { once: true });
    stream.once("close", () => signal?.removeEventListener("abort", abort));
    if (bytes !== undefined) stream.end(bytes);
    if (signal?.aborted === true) abort();
    const answer = await response(stream);
    this.#fresh = false;
    return answer;
  }

  async close(): Promise<void> {
    if (this.#session.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#session.once("close", resolve);
      this.#session.destroy(new Error("the client is closed"));
    });
  }
}

function response(stream: ClientHttp2Stream): Promise<ApiResponse> {
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.once("close", () => reject(new Error("the connection was closed without an answer")));
    stream.once("response", (headers: IncomingHttpHeaders & { [":status"]?: number }) => {
      stream.removeListener("error", reject);
      // Whoever reads the body meets the error there; without a listener it would end the process before.
      stream.on("error", () => stream.destroy());
      resolve({ status: headers[":status"] ?? 0, headers: plain(headers), body: { kind: "chunks", chunks: whole(stream) } });
    });
  });
}

/** The pieces of an answer; throws when it was cut off, which the stream alone would show as its end. */
async function* whole(stream: ClientHttp2Stream): AsyncGenerator<Uint8Array> {
  yield* stream as AsyncIterable<Uint8Array>;
  if (stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR)
    throw new Error("the connection was closed in the middle of an answer");
}

/** Without pseudo-headers and absent ones. */
function plain(headers: IncomingHttpHeaders): Record<string, string | readonly string[]> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string | string[]] => entry[1] !== undefined && !entry[0].startsWith(":")),
  );
}
