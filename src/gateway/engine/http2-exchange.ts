/**
 * A request to an endpoint that speaks HTTP/2 (h2c with prior knowledge, or over TLS by ALPN): one stream of the connection that it
 * shares with others. gRPC is this and trailers. What `exchange.ts` says of bodies and of sending again holds here too.
 */
import { errnoCode } from "../../lib/errors.ts";
import { ChunkedReader } from "../http1/chunked.ts";
import { isFieldValue, knownName, type Field } from "../http1/fields.ts";
import { errorCodes } from "../http2/codes.ts";
import { encodeField, encodeLines } from "../http2/hpack-encoder.ts";
import type { HeaderField } from "../http2/hpack-table.ts";
import type { Http2Stream, StreamUser } from "../http2/stream.ts";
import type { AnswerBody, Exchange } from "./client-side.ts";
import type { ExchangeOptions } from "./exchange.ts";
import { valueOf } from "./http2-request.ts";
import { trailersOf } from "./http2-stream-client.ts";
import type { Http2Upstream } from "./http2-upstream.ts";
import { addedLines, replacedNames, withoutNames } from "./lines.ts";
import { Tries, type TriesUser } from "./tries.ts";
import type { Endpoint } from "./upstream.ts";

export class Http2Exchange implements Exchange, TriesUser, StreamUser {
  readonly #options: ExchangeOptions;
  readonly #tries: Tries;
  #stream: Http2Stream | undefined;
  #waiting: Buffer[] = [];
  #requestDone = false;
  #requestTrailers: readonly Field[] = [];
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
    stream?.reset(errorCodes.cancel);
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
    const open = endpoint.open;
    if (open !== undefined && !open.closed) return this.#begin(open);
    pool.session(endpoint).then(
      (session) => this.#over || this.#tries.endpoint !== endpoint || this.#begin(session),
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

  #begin(session: Http2Upstream): void {
    const { request, client } = this.#options;
    const empty = request.body.kind === "none" || (request.body.kind === "length" && request.body.length === 0);
    const stream = session.request(this.#headers(), this);
    this.#stream = stream;
    if (empty) stream.end();
    else {
      for (const bytes of this.#tries.replay() ?? this.#waiting.splice(0)) stream.write(bytes);
      if (this.#requestDone) stream.end(this.#encodedTrailers());
      else client.resumeBody();
    }
    if (this.#requestDone) this.#tries.sent();
  }

  #encodedTrailers(): readonly Uint8Array[] {
    return this.#requestTrailers.map(({ name, value }) => encodeField(name, value));
  }

  #headers(): readonly Uint8Array[] {
    const { head, request } = this.#options;
    const [first = "", ...lines] = head.split("\r\n");
    let authority = request.authority;
    let going = "";
    for (const line of lines) {
      const colon = line.indexOf(":");
      if (colon <= 0) continue;
      const name = line.slice(0, colon).toLowerCase();
      if (name === "host") authority = line.slice(colon + 1).trim();
      else if (!connectionNames.has(name)) going += `${line}\r\n`;
    }
    const { tls } = this.#tries.endpoint?.speech ?? {};
    return [
      encodeField(":method", request.method),
      encodeField(":path", first.slice(first.indexOf(" ") + 1, first.lastIndexOf(" "))),
      encodeField(":scheme", tls === undefined ? "http" : "https"),
      encodeField(":authority", authority),
      // gRPC asks for it: trailers are passed on here (RFC 9113 8.2.2).
      encodeLines(`${going}te: trailers\r\n`),
    ];
  }

  // The request's body, from the client.

  write(bytes: Buffer): boolean {
    if (this.#over) return true;
    if (this.#chunks === undefined) return this.#send(bytes);
    // What the reader cannot read never comes: the client's side has read it already.
    this.#chunks.push(bytes);
    return this.#stream?.idle === true;
  }

  #send(bytes: Buffer): boolean {
    if (this.#tries.keeps) this.#tries.keep(Buffer.from(bytes));
    if (this.#stream !== undefined) return this.#stream.write(bytes);
    if (!this.#tries.keeps) this.#waiting.push(Buffer.from(bytes));
    return false;
  }

  end(trailers: readonly Field[]): void {
    this.#requestDone = true;
    this.#requestTrailers = trailers;
    if (this.#stream === undefined || this.#over) return;
    this.#stream.end(this.#encodedTrailers());
    if (!this.#answering) this.#tries.sent();
  }

  onDrain(): void {
    if (!this.#requestDone) this.#options.client.resumeBody();
  }

  // The answer, from the endpoint.

  onHeaders(fields: readonly HeaderField[]): void {
    if (this.#over) return;
    if (this.#answering) {
      this.#trailers = trailersOf(fields);
      return;
    }
    const status = Number(valueOf(fields, ":status"));
    if (!Number.isInteger(status) || status < 100 || status > 999 || status === 101)
      return this.#fail(502, "BadAnswer", "the endpoint's answer has no status");
    if (status < 200) return this.#options.client.interim(status, "", linesOf(fields));
    if (!this.#tries.afterStatus(status)) this.#respond(status, fields);
  }

  #respond(status: number, fields: readonly HeaderField[]): void {
    this.#tries.answered();
    this.#answering = true;
    this.#status = status;
    const { client, request, changes } = this.#options;
    const body = answerBody(request.method, status, valueOf(fields, "content-length"));
    this.#streamed = body.kind === "stream";
    const lines = linesOf(fields);
    const { response } = changes;
    const changed = response === undefined ? lines : withoutNames(lines, replacedNames(response)) + addedLines(response);
    client.respond({ status, reason: "", body, lines: this.#tries.cookieLine() + changed });
    client.flush();
  }

  onData(bytes: Buffer): void {
    if (this.#over) return;
    if (!this.#answering) return this.#fail(502, "BadAnswer", "the endpoint's answer has a body before its head");
    const { client } = this.#options;
    const room = client.write(
      this.#streamed && client.framed ? Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, crlf]) : bytes,
    );
    client.flush();
    if (!room) this.#stream?.pause();
  }

  onEnd(): void {
    if (this.#over) return;
    if (!this.#answering) return this.#fail(502, "BadAnswer", "the endpoint's answer has no head");
    this.#over = true;
    const stream = this.#stream;
    this.#stream = undefined;
    const { client } = this.#options;
    client.end(this.#trailers);
    if (!this.#requestDone) {
      client.abort();
      stream?.reset(errorCodes.cancel);
    }
    this.#tries.finish(this.#status);
  }

  onReset(code: number): void {
    if (this.#over) return;
    this.#stream = undefined;
    // Refused streams were not looked at by the endpoint (RFC 9113 8.7): they may always be sent again.
    const untouched = code === errorCodes.refusedStream;
    if (!this.#answering && this.#tries.afterBreak(untouched, untouched)) return;
    this.#fail(502, "EndpointClosed", `the endpoint ended the stream before it had answered (code ${code})`);
  }

  // The client.

  resume(): void {
    this.#stream?.resume();
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream?.reset(errorCodes.cancel);
    this.#tries.finish(499);
  }

  #fail(status: number, reason: string, message: string): void {
    this.abandon();
    if (this.#over) return;
    this.#over = true;
    this.#tries.fail(this.#answering ? this.#status : undefined, { status, reason, message });
  }
}

function answerBody(method: string, status: number, length: string | undefined): AnswerBody {
  if (method === "HEAD" || status === 204 || status === 304)
    return { kind: "none", ...(length === undefined || status === 204 ? {} : { contentLength: length }) };
  return length !== undefined && /^\d{1,15}$/.test(length) ? { kind: "length", length: Number(length) } : { kind: "stream" };
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

/** Values that HTTP/1.1 could not carry are left out: nothing may end a line that is not ours. */
function linesOf(fields: readonly HeaderField[]): string {
  let out = "";
  for (const { name, value } of fields) {
    if (name.startsWith(":") || name === "content-length" || connectionNames.has(name) || knownName(name) === undefined) continue;
    if (isFieldValue(value)) out += `${name}: ${value}\r\n`;
  }
  return out;
}
