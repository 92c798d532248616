/**
 * A client's HTTP/1.1 connection: reads requests one after the other, writes each answer, and becomes a tunnel when the endpoint
 * changes protocols. The machine has three states, what the connection's bytes are at the moment:
 *
 *   head ──whole──► body ──whole──► answer ──ended, kept──► head
 *
 * Bytes of the next request that come early (pipelining) wait, and the socket with them.
 */
import type { StreamSocket } from "../../net/stream-socket.ts";
import type { Membership } from "../../lib/roster.ts";
import { ChunkedReader, type ChunkResult } from "../http1/chunked.ts";
import type { Field } from "../http1/fields.ts";
import { goesToEndpoint, keptLines } from "../http1/passed-on.ts";
import { parseRequestHead, type FieldBlock, type HeadLimits, type RequestHead } from "../http1/request-head.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { reasonPhrase, refusal, type OwnAnswer } from "./answers.ts";
import type { AnswerHead, ClientInfo, ClientSide, Exchange, ProxiedRequest } from "./client-side.ts";
import type { EngineLimits } from "./engine.ts";
import { AnswerWriter } from "./http1-writer.ts";
import type { Expiring, Sweeper } from "./sweeper.ts";
import { openTunnel } from "./tunnel.ts";

export interface Http1ClientOptions {
  readonly socket: StreamSocket;
  readonly info: Omit<ClientInfo, "httpVersion">;
  readonly limits: EngineLimits;
  readonly headLimits: HeadLimits;
  readonly sweeper: Sweeper;
  readonly now: () => number;
  /** Has the request answered. Undefined: it was answered already, by `ownAnswer`. */
  readonly handle: (request: ProxiedRequest, client: Http1Client) => Exchange | undefined;
  /** A head that was refused, for the log. */
  readonly refused: (status: number, why: string) => void;
  /** The connection is gone, or a tunnel whose end `tunnelClosed` tells. */
  readonly closed: () => void;
  readonly tunnelOpened: (client: StreamSocket, upstream: StreamSocket) => () => void;
  /** The client begins with HTTP/2's preface (RFC 9113 3.4): the socket is given up with what was read of it. */
  readonly http2?: (seen: Buffer) => void;
}

type State = "head" | "body" | "answer" | "closing" | "closed";

const emptyBytes = Buffer.alloc(0);
/** How long what still comes is read and thrown away, so that a reset does not take the answer from the client (RFC 9112 9.6). */
const lingerMs = 2000;

export class Http1Client implements ClientSide, Expiring {
  deadline: number;
  readonly #options: Http1ClientOptions;
  readonly #socket: StreamSocket;
  readonly #out: AnswerWriter;
  readonly #swept: Membership<Expiring>;
  #state: State = "head";
  #unread: Buffer = emptyBytes;
  #request: RequestHead | undefined;
  /** Of the last request: the next one mostly has the same lines. */
  #block: FieldBlock | undefined;
  #accessors: Accessors | undefined;
  readonly #infos: readonly [ClientInfo, ClientInfo];
  #exchange: Exchange | undefined;
  #chunks: ChunkedReader | undefined;
  #left = 0;
  #received = 0;
  /** The head of the answer is out, its end not. */
  #answering = false;
  /** The answer is out whole, the request still comes. */
  #answered = false;
  #keep = true;
  #draining = false;
  #processing = false;

  constructor(options: Http1ClientOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#out = new AnswerWriter(options.socket);
    this.#infos = [
      { ...options.info, httpVersion: "1.0" },
      { ...options.info, httpVersion: "1.1" },
    ];
    this.deadline = options.sweeper.after(options.limits.headMs);
    this.#swept = options.sweeper.add(this);
    const socket = options.socket;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("drain", this.#onDrain);
    socket.on("error", noticedAtClose);
    socket.on("close", this.#onClose);
    socket.resume();
  }

  /** The client's side of HTTP/1.0 knows no chunks. */
  get framed(): boolean {
    return this.#block?.minorVersion === 1;
  }

  get listener(): string {
    return this.#options.info.listener;
  }

  /** No further request is taken; the one under way is answered. */
  drain(): void {
    this.#draining = true;
    if (this.#state === "head" && this.#unread.length === 0) this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  expire(): void {
    if (this.#state === "head" && this.#unread.length > 0) this.#refuse(408, "the head took too long");
    else if (this.#state === "body") this.#refuse(408, "the body took too long");
    else this.#socket.destroy();
  }

  readonly #onData = (bytes: Buffer) => {
    if (this.#state === "closing") return;
    if (this.#state === "body" && this.#unread.length === 0 && !this.#processing) {
      this.#unread = this.#takeBody(bytes);
      if (this.#state === "body" || this.#unread.length === 0) return;
    } else this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    this.#process();
    // The bytes that came may be overwritten from here on.
    if (this.#unread.length > 0 && this.#unread.buffer === bytes.buffer) this.#unread = Buffer.from(this.#unread);
  };

  /** Works on what has come until that needs more, or an answer. */
  #process(): void {
    if (this.#processing) return;
    this.#processing = true;
    while (this.#unread.length > 0) {
      if (this.#state === "head") {
        if (!this.#takeHead()) break;
      } else if (this.#state === "body") this.#unread = this.#takeBody(this.#unread);
      else {
        this.#socket.pause();
        break;
      }
    }
    this.#processing = false;
  }

  /** Whether there was a whole head. */
  #takeHead(): boolean {
    const { limits, headLimits, sweeper } = this.#options;
    const head = parseRequestHead(this.#unread, headLimits, this.#block);
    if (head.kind === "incomplete") {
      if (this.#received === 0) this.deadline = sweeper.after(limits.headMs);
      this.#received = this.#unread.length;
      return false;
    }
    if (head.kind === "refused") {
      const { http2 } = this.#options;
      if (http2 !== undefined && isPreface(this.#unread)) {
        this.#state = "closed";
        this.#forgetSocket();
        http2(Buffer.from(this.#unread));
        return false;
      }
      this.#refuse(head.status, head.why);
      return false;
    }
    this.#unread = this.#unread.subarray(head.bytes);
    this.#begin(head);
    return true;
  }

  #begin(head: RequestHead): void {
    const { limits, sweeper, handle } = this.#options;
    const { block } = head;
    this.#request = head;
    this.#block = block;
    this.#keep = block.keepAlive && !this.#draining;
    this.#received = 0;
    this.#chunks = undefined;
    const { body } = block;
    if (body.kind === "length" && body.length > limits.bodyBytes) return this.#refuse(413, `a body of more than ${limits.bodyBytes} bytes`);
    const expect = block.fields.find(({ role }) => role === "expect");
    if (expect !== undefined && expect.value.toLowerCase() !== "100-continue")
      return this.#refuse(417, "an expectation that is not 100-continue");
    if (head.path === "*") return this.ownAnswer({ status: 200, lines: "", body: "" });
    const whole = body.kind === "none" || (body.kind === "length" && body.length === 0);
    this.#state = whole ? "answer" : "body";
    this.deadline = whole ? Number.POSITIVE_INFINITY : sweeper.after(limits.bodyMs);
    this.#left = body.kind === "length" ? body.length : 0;
    const exchange = handle(this.#proxied(head), this);
    if (exchange === undefined || this.#over()) return;
    this.#exchange = exchange;
    if (body.kind === "chunked") this.#chunks = this.#chunkReader(exchange);
    if (whole) exchange.end([]);
  }

  #over(): boolean {
    return this.#state === "closing" || this.#state === "closed";
  }

  #proxied(head: RequestHead): ProxiedRequest {
    const { block } = head;
    const { minorVersion, body } = block;
    if (this.#accessors?.block !== block) this.#accessors = accessorsOf(block);
    const { header, lines } = this.#accessors;
    return {
      method: head.method,
      path: head.path,
      query: head.query,
      authority: head.authority,
      header,
      lines,
      body,
      framed: true,
      // A body and a change of protocol in one request: the body wins, as the endpoint may not expect both.
      upgrade: body.kind === "none" ? block.upgrade : undefined,
      client: this.#infos[minorVersion],
      began: this.#options.now(),
    };
  }

  #chunkReader(exchange: Exchange): ChunkedReader {
    const data = (bytes: Buffer) => {
      if (!exchange.write(bytes)) this.#socket.pause();
    };
    const end = (trailers: readonly Field[]) => this.#bodyEnds(exchange, trailers);
    return new ChunkedReader({ data, end }, true);
  }

  /** Gives what is not the body's. */
  #takeBody(bytes: Buffer): Buffer {
    const { limits, sweeper } = this.#options;
    this.deadline = sweeper.after(limits.bodyMs);
    this.#received += bytes.length;
    if (this.#chunks !== undefined) {
      if (this.#received > limits.bodyBytes) return this.#malformedBody(413, `a body of more than ${limits.bodyBytes} bytes`);
      const result: ChunkResult = this.#chunks.push(bytes);
      if (result.kind === "malformed") return this.#malformedBody(400, result.why);
      return result.kind === "end" ? bytes.subarray(result.used) : emptyBytes;
    }
    const take = Math.min(this.#left, bytes.length);
    this.#left -= take;
    const exchange = this.#exchange;
    const room = exchange?.write(take === bytes.length ? bytes : bytes.subarray(0, take)) ?? true;
    if (!room) this.#socket.pause();
    if (this.#left === 0) this.#bodyEnds(exchange, []);
    return take === bytes.length ? emptyBytes : bytes.subarray(take);
  }

  #bodyEnds(exchange: Exchange | undefined, trailers: readonly Field[]): void {
    if (this.#state !== "body") return;
    this.#state = "answer";
    this.deadline = Number.POSITIVE_INFINITY;
    exchange?.end(trailers);
    if (this.#answered) this.#complete();
  }

  #malformedBody(status: number, why: string): Buffer {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.abort();
    this.#refuse(status, why);
    return emptyBytes;
  }

  /** Answers and closes: after a malformed request nobody knows where the next one begins. */
  #refuse(status: number, why: string): void {
    if (this.#over()) return;
    this.#options.refused(status, why);
    if (this.#answering) return void this.#socket.destroy();
    this.#keep = false;
    this.ownAnswer(refusal(status, "BadRequest", why));
  }

  /** The gateway's own answer in the place of an endpoint's. */
  ownAnswer({ status, lines, body }: OwnAnswer): void {
    this.#exchange = undefined;
    const text = this.#request?.method === "HEAD" ? "" : body;
    this.respond({ status, reason: reasonPhrase(status), lines, body: { kind: "none", contentLength: String(body.length) } });
    this.#out.text(text);
    this.end([]);
  }

  // The answer, from the exchange.

  interim(status: number, reason: string, lines: string): void {
    if (this.framed) this.#out.interim(status, reason, lines);
  }

  respond(head: AnswerHead): void {
    this.#answering = true;
    const streamed = head.body.kind === "stream";
    const unread = this.#state === "body" && this.#exchange === undefined;
    if (unread || this.#draining || (streamed && !this.framed)) this.#keep = false;
    const asks = this.#block?.minorVersion === 0 ? "Connection: keep-alive\r\n" : "";
    this.#out.head(head, streamed && this.framed, this.#keep ? asks : "Connection: close\r\n");
  }

  write(bytes: Buffer): boolean {
    const room = this.#out.write(bytes);
    // A client that does not read has as long as one that does not write.
    if (!room) this.deadline = this.#options.sweeper.after(this.#options.limits.bodyMs);
    return room;
  }

  flush(): void {
    this.#out.flush();
  }

  end(trailers: readonly Field[]): void {
    this.#out.end(trailers);
    this.#answering = false;
    if (this.#state === "body" && this.#exchange !== undefined) this.#answered = true;
    else this.#complete();
  }

  /** Request and answer are whole. */
  #complete(): void {
    this.#exchange = undefined;
    this.#answered = false;
    if (!this.#keep) return this.#close();
    this.#state = "head";
    this.#request = undefined;
    this.deadline = this.#options.sweeper.after(this.#options.limits.idleMs);
    if (this.#draining && this.#unread.length === 0) return this.#close();
    this.#socket.resume();
    if (this.#unread.length > 0) this.#process();
  }

  tunnel(head: ResponseHead, upstream: StreamSocket, early: Buffer): void {
    const socket = this.#socket;
    this.#state = "closed";
    this.#exchange = undefined;
    this.#forgetSocket();
    socket.pause();
    const upgrade = head.fields.find(({ role }) => role === "upgrade")?.value ?? this.#block?.upgrade ?? "";
    const lines = keptLines(head.text, head.fields, ({ role }) => role === "end-to-end");
    socket.write(`HTTP/1.1 101 ${head.reason}\r\n${lines}Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`, "latin1");
    if (early.length > 0) socket.write(early);
    if (this.#unread.length > 0) upstream.write(this.#unread);
    openTunnel(socket, upstream, this.#options.tunnelOpened(socket, upstream));
  }

  abort(): void {
    this.#exchange = undefined;
    if (this.#answered) return this.#close();
    this.#state = "closed";
    // A reset, or at least no proper end: the client sees that the answer is not whole.
    this.#socket.destroy();
  }

  resumeBody(): void {
    if (this.#state === "body") this.#socket.resume();
  }

  // The socket.

  readonly #onDrain = () => {
    if (this.#state === "answer") this.deadline = Number.POSITIVE_INFINITY;
    this.#exchange?.resume();
  };

  /** The client sends no more. What it asked for it still gets; a request that is not whole never will be. */
  readonly #onEnd = () => {
    this.#keep = false;
    if (this.#state !== "answer") this.#socket.end();
    if (this.#state === "body") this.#socket.destroy();
  };

  readonly #onClose = () => {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#state = "closed";
    this.#forgetSocket();
    exchange?.abort();
  };

  #close(): void {
    const { sweeper, limits } = this.#options;
    const nothingComes = this.#state === "answer" && this.#unread.length === 0 && this.#block?.keepAlive === false;
    this.#state = "closing";
    this.#unread = emptyBytes;
    this.deadline = sweeper.after(limits.bodyMs);
    // A client that wanted this end sends no more (RFC 9112 9.6): there is nothing to wait for.
    if (nothingComes) return this.#socket.destroySoon();
    // From when the answer is out, the client has a moment to end its side too.
    this.#socket.end(() => (this.deadline = sweeper.after(lingerMs)));
    this.#socket.resume();
  }

  #forgetSocket(): void {
    this.#options.sweeper.remove(this.#swept);
    this.#socket.off("data", this.#onData);
    this.#socket.off("end", this.#onEnd);
    this.#socket.off("drain", this.#onDrain);
    this.#socket.off("close", this.#onClose);
    this.#options.closed();
  }
}

interface Accessors extends Pick<ProxiedRequest, "header" | "lines"> {
  readonly block: FieldBlock;
}

/** For as long as a connection's requests repeat their lines. */
function accessorsOf(block: FieldBlock): Accessors {
  const { fields, connection, text, passedOn } = block;
  return {
    block,
    header: (name) => joined(fields, name),
    lines: (except) =>
      except === undefined ? passedOn : keptLines(text, fields, (field) => goesToEndpoint(field, connection) && !except.has(field.name)),
  };
}

function joined(fields: readonly Field[], name: string): string | undefined {
  let value: string | undefined;
  for (const field of fields) if (field.name === name) value = value === undefined ? field.value : `${value}, ${field.value}`;
  return value;
}

function noticedAtClose(): void {
  // An error is always followed by `close`; without a listener it would end the process.
}

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\n");

function isPreface(bytes: Buffer): boolean {
  return bytes.subarray(0, preface.length).equals(preface);
}
