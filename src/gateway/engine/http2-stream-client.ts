/** One request over HTTP/2 and its answer. */
import { isFieldValue, knownName, type Field } from "../http1/fields.ts";
import { errorCodes } from "../http2/codes.ts";
import { encodeField, encodeLines } from "../http2/hpack-encoder.ts";
import type { HeaderField } from "../http2/hpack-table.ts";
import type { Http2Stream, StreamUser } from "../http2/stream.ts";
import { refusal, type OwnAnswer } from "./answers.ts";
import type { AnswerHead, ClientSide, Exchange, ProxiedRequest } from "./client-side.ts";
import type { Http2Client } from "./http2-client.ts";
import { valueOf, type Http2Request, type Http2RequestResult } from "./http2-request.ts";

export class StreamClient implements ClientSide, StreamUser {
  readonly framed = false;
  readonly #connection: Http2Client;
  readonly #stream: Http2Stream;
  #exchange: Exchange | undefined;
  #received = 0;
  #bare = false;
  #ended = false;
  #trailers: readonly Field[] = [];

  constructor(connection: Http2Client, stream: Http2Stream) {
    this.#connection = connection;
    this.#stream = stream;
  }

  begin(request: Exclude<Http2RequestResult, { kind: "malformed" }>): void {
    const { limits, handle } = this.#connection.options;
    if (request.kind === "refused") return this.refuse(400, request.why);
    this.#bare = request.method === "HEAD";
    const { body } = request;
    if (body.kind === "length") {
      if (body.length > limits.bodyBytes) return this.refuse(413, `a body of more than ${limits.bodyBytes} bytes`);
      this.#stream.expected = body.length;
    }
    this.#exchange = handle(this.#proxied(request), this);
  }

  #proxied({ method, path, query, authority, fields, going, text, body }: Http2Request): ProxiedRequest {
    return {
      method,
      path,
      query,
      authority,
      header: (name) => valueOf(fields, name),
      lines: (except) =>
        except === undefined ? text : going.flatMap(({ name, value }) => (except.has(name) ? [] : [`${name}: ${value}\r\n`])).join(""),
      body,
      framed: false,
      upgrade: undefined,
      client: this.#connection.info,
      began: this.#connection.options.now(),
    };
  }

  // The request, from the client.

  onData(bytes: Buffer): void {
    this.#received += bytes.length;
    const { bodyBytes } = this.#connection.options.limits;
    if (this.#received > bodyBytes) return this.#tooLong(bodyBytes);
    if (this.#exchange?.write(bytes) === false) this.#stream.pause();
  }

  #tooLong(bodyBytes: number): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.abort();
    if (this.#answering) this.#stream.reset(errorCodes.cancel);
    else this.refuse(413, `a body of more than ${bodyBytes} bytes`);
  }

  onHeaders(fields: readonly HeaderField[]): void {
    this.#trailers = trailersOf(fields);
  }

  onEnd(): void {
    this.#exchange?.end(this.#trailers);
  }

  onDrain(): void {
    this.#exchange?.resume();
  }

  onReset(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.abort();
  }

  // The answer.

  #answering = false;

  refuse(status: number, why: string): void {
    this.#connection.options.refused(status, why);
    this.ownAnswer(refusal(status, "BadRequest", why));
  }

  /** The gateway's own answer in the place of an endpoint's. */
  ownAnswer({ status, lines, body }: OwnAnswer): void {
    this.respond({ status, reason: "", lines, body: { kind: "length", length: body.length } });
    if (!this.#bare) this.#stream.write(Buffer.from(body, "latin1"));
    this.end([]);
    // Nobody takes the request's body any more.
    this.#exchange = undefined;
    this.#stream.resume();
  }

  interim(status: number, _reason: string, lines: string): void {
    this.#stream.headers(statusField(status), encodeLines(lines));
  }

  respond({ status, body, lines }: AnswerHead): void {
    this.#answering = true;
    const length = body.kind === "length" ? String(body.length) : body.kind === "none" ? body.contentLength : undefined;
    if (length === undefined) this.#stream.headers(statusField(status), encodeLines(lines));
    else this.#stream.headers(statusField(status), encodeLines(lines), encodeField("content-length", length));
  }

  write(bytes: Buffer): boolean {
    return this.#stream.write(bytes);
  }

  flush(): void {
    // What was written leaves at the end of the turn.
  }

  end(trailers: readonly Field[]): void {
    this.#ended = true;
    this.#stream.end(trailers.map(({ name, value }) => encodeField(name, value)));
  }

  tunnel(): void {
    // Never asked for: HTTP/2 requests carry no Upgrade (RFC 9113 8.6).
    this.abort();
  }

  abort(): void {
    this.#exchange = undefined;
    // After a whole answer: no error, only no use for the rest of the request (RFC 9113 8.1).
    if (!this.#ended) this.#stream.reset(errorCodes.internal);
    else this.#stream.resetWhenSent();
  }

  resumeBody(): void {
    this.#stream.resume();
  }
}

const statusFields = new Map<number, Buffer>();

function statusField(status: number): Buffer {
  let field = statusFields.get(status);
  if (field === undefined) statusFields.set(status, (field = encodeField(":status", String(status))));
  return field;
}

/** Those that may go on (RFC 9110 6.5.1). */
export function trailersOf(fields: readonly HeaderField[]): readonly Field[] {
  return fields.flatMap(({ name, value }): Field[] => {
    const known = knownName(name);
    if (known === undefined || known.role !== "end-to-end" || !isFieldValue(value)) return [];
    return [{ ...known, value, start: 0, end: 0 }];
  });
}
