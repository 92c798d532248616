/**
 * A request to an endpoint that speaks HTTP/2 (h2c with prior knowledge, or over TLS by ALPN): one stream of the connection that it
 * shares with others. gRPC is this and trailers. What `exchange.ts` says of bodies and of sending again holds here too.
 */
import { constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { errnoCode } from "../../lib/errors.ts";
import { ChunkedReader } from "../http1/chunked.ts";
import { isFieldValue, knownName, type Field } from "../http1/fields.ts";
import type { Exchange } from "./client-side.ts";
import type { ExchangeOptions } from "./exchange.ts";
import { addedLines, replacedNames, withoutNames } from "./lines.ts";
import { Tries, type TriesUser } from "./tries.ts";
import type { Endpoint } from "./upstream.ts";

export class Http2Exchange implements Exchange, TriesUser {
  readonly #options: ExchangeOptions;
  readonly #tries: Tries;
  #stream: ClientHttp2Stream | undefined;
  #waiting: Buffer[] = [];
  #requestDone = false;
  #chunks: ChunkedReader | undefined;
  #answering = false;
  #trailers: readonly Field[] = [];
  #status = 0;
  /** The answer's body has no length: HTTP/1.1 gets it in chunks. */
  #streamed = false;
  #over = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#tries = new Tries(options, this);
    const { request } = options;
    if (request.framed && request.body.kind === "chunked") {
      this.#chunks = new ChunkedReader({ data: (bytes) => void this.#send(bytes), end: () => {} }, false);
    }
  }

  abandon(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.close(constants.NGHTTP2_CANCEL);
  }

  timedOut(message: string): void {
    this.#fail(504, "EndpointTimeout", message);
  }

  start(): void {
    if (this.#over) return;
    const choice = this.#tries.choose();
    if (choice.kind === "none") return this.#fail(choice.reason === "EndpointsFailed" ? 502 : 503, choice.reason, choice.message);
    const { endpoint } = choice;
    const { pool, request } = this.#options;
    if (request.upgrade !== undefined) return this.#fail(502, "Upgrade", "the endpoint speaks HTTP/2, which changes no protocols");
    pool.session(endpoint).then(
      (session) => this.#over || this.#begin(session, endpoint),
      (error: unknown) => this.#unreachable(endpoint, error),
    );
  }

  #unreachable(endpoint: Endpoint, error: unknown): void {
    if (this.#over) return;
    if (this.#tries.afterNoConnection(endpoint)) return;
    const { ip, port } = endpoint.address;
    const code = errnoCode(error) ?? "error";
    this.#fail(code === "ETIMEDOUT" ? 504 : 502, "EndpointsFailed", `${ip}:${port} cannot be reached (${code})`);
  }

  #begin(session: ClientHttp2Session, endpoint: Endpoint): void {
    if (session.closed || session.destroyed) return this.#unreachable(endpoint, undefined);
    const { request, client } = this.#options;
    const empty = request.body.kind === "none" || (request.body.kind === "length" && request.body.length === 0);
    const stream = session.request(this.#headers(), { endStream: empty });
    this.#stream = stream;
    stream.on("response", (headers) => this.#onResponse(stream, headers));
    stream.on("headers", (headers) => this.#interim(headers));
    stream.on("trailers", (headers) => (this.#trailers = fieldsOf(headers)));
    stream.on("data", (bytes: Buffer) => this.#onData(stream, bytes));
    stream.on("end", () => this.#onEnd(stream));
    stream.on("error", noticedAtClose);
    stream.on("close", () => this.#onClose(stream));
    stream.on("drain", () => this.#requestDone || client.resumeBody());
    if (!empty) {
      for (const bytes of this.#tries.replay() ?? this.#waiting.splice(0)) stream.write(bytes);
      if (this.#requestDone) stream.end();
      else client.resumeBody();
    }
    if (this.#requestDone) this.#tries.sent();
  }

  #headers(): OutgoingHttpHeaders {
    const { head, request } = this.#options;
    const [first = "", ...lines] = head.split("\r\n");
    const headers: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
    let authority = request.authority;
    for (const line of lines) {
      const colon = line.indexOf(":");
      if (colon <= 0) continue;
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      if (name === "host") authority = value;
      else if (!connectionNames.has(name)) append(headers, name, value);
    }
    // gRPC asks for it: trailers are passed on here (RFC 9113 8.2.2).
    headers["te"] = "trailers";
    const { tls } = this.#tries.endpoint?.speech ?? {};
    const target = first.slice(first.indexOf(" ") + 1, first.lastIndexOf(" "));
    return {
      ":method": request.method,
      ":path": target,
      ":scheme": tls === undefined ? "http" : "https",
      ":authority": authority,
      ...headers,
    };
  }

  // The request's body, from the client.

  write(bytes: Buffer): boolean {
    if (this.#over) return true;
    if (this.#chunks === undefined) return this.#send(bytes);
    // What the reader cannot read never comes: the client's side has read it already.
    this.#chunks.push(bytes);
    return this.#stream !== undefined && !this.#stream.writableNeedDrain;
  }

  /** node:http2 keeps what it is given until it is written: a copy, as the caller's bytes are its own again. */
  #send(bytes: Buffer): boolean {
    const copy = Buffer.from(bytes);
    this.#tries.keep(copy);
    if (this.#stream !== undefined) return this.#stream.write(copy);
    this.#waiting.push(copy);
    return false;
  }

  end(): void {
    this.#requestDone = true;
    if (this.#stream === undefined || this.#over) return;
    this.#stream.end();
    if (!this.#answering) this.#tries.sent();
  }

  // The answer, from the endpoint.

  #interim(headers: IncomingHttpHeaders): void {
    const status = Number(headers[":status"]);
    if (!this.#over && status >= 100 && status < 200 && status !== 101) this.#options.client.interim(status, "", "");
  }

  #onResponse(stream: ClientHttp2Stream, headers: IncomingHttpHeaders): void {
    if (this.#over || stream !== this.#stream) return;
    const status = Number(headers[":status"]);
    if (this.#tries.afterStatus(status)) return;
    this.#tries.answered();
    this.#answering = true;
    this.#status = status;
    const { client, request, changes } = this.#options;
    const length = headers["content-length"];
    const bare = request.method === "HEAD" || status === 204 || status === 304;
    const body = bare
      ? { kind: "none" as const, ...(length === undefined || status === 204 ? {} : { contentLength: length }) }
      : length !== undefined && /^\d{1,15}$/.test(length)
        ? { kind: "length" as const, length: Number(length) }
        : { kind: "stream" as const };
    this.#streamed = body.kind === "stream";
    const lines = linesOf(headers);
    const { response } = changes;
    client.respond({
      status,
      reason: "",
      body,
      lines:
        this.#tries.cookieLine() + (response === undefined ? lines : withoutNames(lines, replacedNames(response)) + addedLines(response)),
    });
    client.flush();
  }

  #onData(stream: ClientHttp2Stream, bytes: Buffer): void {
    if (this.#over || stream !== this.#stream) return;
    const { client } = this.#options;
    const room = client.write(
      this.#streamed && client.framed ? Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, crlf]) : bytes,
    );
    client.flush();
    if (!room) stream.pause();
  }

  #onEnd(stream: ClientHttp2Stream): void {
    if (this.#over || stream !== this.#stream || !this.#answering) return;
    // Trailers come before `end`, but a stream that was reset ends as well: only `close` knows.
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR && stream.rstCode !== undefined) return;
    this.#over = true;
    const { client } = this.#options;
    client.end(this.#trailers);
    if (!this.#requestDone) {
      client.abort();
      stream.close(constants.NGHTTP2_CANCEL);
    }
    this.#tries.finish(this.#status);
  }

  #onClose(stream: ClientHttp2Stream): void {
    if (this.#over || stream !== this.#stream) return;
    this.#stream = undefined;
    // Refused streams were not looked at by the endpoint (RFC 9113 8.7): they may always be sent again.
    const untouched = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    if (!this.#answering && this.#tries.afterBreak(untouched, untouched)) return;
    this.#fail(502, "EndpointClosed", `the endpoint ended the stream before it had answered (code ${stream.rstCode})`);
  }

  // The client.

  resume(): void {
    this.#stream?.resume();
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream?.close(constants.NGHTTP2_CANCEL);
    this.#tries.finish(499);
  }

  #fail(status: number, reason: string, message: string): void {
    this.abandon();
    if (this.#over) return;
    this.#over = true;
    this.#tries.fail(this.#answering ? this.#status : undefined, { status, reason, message });
  }
}

const crlf = Buffer.from("\r\n");
/** They mean something for an HTTP/1.1 connection only (RFC 9113 8.2.2). */
const connectionNames: ReadonlySet<string> = new Set([
  "connection",
  "upgrade",
  "transfer-encoding",
  "keep-alive",
  "proxy-connection",
  "te",
  "expect",
]);

function append(headers: Record<string, string | string[]>, name: string, value: string): void {
  const old = headers[name];
  headers[name] = old === undefined ? value : Array.isArray(old) ? [...old, value] : [old, value];
}

/** Values that HTTP/1.1 could not carry are left out: nothing may end a line that is not ours. */
function linesOf(headers: IncomingHttpHeaders): string {
  let out = "";
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(":") || name === "content-length" || connectionNames.has(name) || knownName(name) === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value ?? ""]) if (isFieldValue(each)) out += `${name}: ${each}\r\n`;
  }
  return out;
}

function fieldsOf(headers: IncomingHttpHeaders): readonly Field[] {
  return Object.entries(headers).flatMap(([name, value]): Field[] => {
    const known = knownName(name);
    if (known === undefined || known.role !== "end-to-end") return [];
    return (Array.isArray(value) ? value : [value ?? ""]).filter(isFieldValue).map((each) => ({ ...known, value: each, start: 0, end: 0 }));
  });
}

function noticedAtClose(): void {
  // `close` follows.
}
