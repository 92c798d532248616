/**
 * One request on its way to an endpoint and the answer on its way back. Owns the upstream connection while it lasts. Bodies are
 * passed on piece by piece as they come, each side waiting for the other; nothing is kept but the head.
 *
 * When an endpoint cannot be reached, another is tried. When a connection ends without an answer (a kept one that the endpoint gave up,
 * a pod that ends between accept and read), the request is sent again if that is safe: `tries.ts` says when.
 */
import type { BackendRef, Route } from "../../decide/routes/index.ts";
import type { Clock } from "../../lib/clock.ts";
import { errnoCode } from "../../lib/errors.ts";
import { ChunkedReader } from "../http1/chunked.ts";
import type { Field } from "../http1/fields.ts";
import { parseResponseHead, type ResponseHead } from "../http1/response-head.ts";
import type { Backends } from "./backends.ts";
import type { AnswerBody, ClientSide, Exchange, ProxiedRequest } from "./client-side.ts";
import type { EngineLimits } from "./engine.ts";
import { addedLines, replacedNames, withoutNames } from "./lines.ts";
import type { Changes } from "./router.ts";
import type { Sweeper } from "./sweeper.ts";
import { Tries, type TriesUser } from "./tries.ts";
import type { ClientCertificate } from "./carrier.ts";
import type { Endpoint, UpstreamConnection, UpstreamPool, UpstreamUser } from "./upstream.ts";

export interface ExchangeOptions {
  readonly request: ProxiedRequest;
  readonly client: ClientSide;
  readonly route: Route;
  readonly backend: BackendRef;
  /** The request's head as it goes to the endpoint. */
  readonly head: string;
  readonly changes: Changes;
  readonly backends: Backends;
  readonly pool: UpstreamPool;
  readonly sweeper: Sweeper;
  readonly clock: Clock;
  readonly limits: EngineLimits;
  /** What the gateway shows to endpoints over TLS. */
  readonly certificate: ClientCertificate | undefined;
  /** No answer can be had. Called once, before anything was said to the client. */
  readonly refuse: (status: number, reason: string, message: string) => void;
  /** It is over; called once. `status` 0: the client had no head. */
  readonly finished: (status: number, endpoint: Endpoint | undefined) => void;
}

const emptyBytes = Buffer.alloc(0);

export class HttpExchange implements Exchange, UpstreamUser, TriesUser {
  readonly #options: ExchangeOptions;
  readonly #tries: Tries;
  #connection: UpstreamConnection | undefined;
  /** Pieces of the body that came before there was a connection. The client is paused after the first. */
  #waiting: Buffer[] | undefined;
  #trailers: readonly Field[] | undefined;
  #requestDone = false;
  #head: ResponseHead | undefined;
  #unparsed: Buffer = emptyBytes;
  #chunks: ChunkedReader | undefined;
  #answerTrailers: readonly Field[] = [];
  #left = 0;
  #answerDone = false;
  #over = false;
  #status = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#tries = new Tries(options, this);
  }

  /** What came of the present try is thrown away. */
  abandon(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#unparsed = emptyBytes;
    connection?.destroy();
  }

  timedOut(message: string): void {
    this.#fail(504, "EndpointTimeout", message);
  }

  start(): void {
    if (this.#over) return;
    const { pool } = this.#options;
    const choice = this.#tries.choose();
    if (choice.kind === "none") return this.#fail(choice.reason === "EndpointsFailed" ? 502 : 503, choice.reason, choice.message);
    const { endpoint } = choice;
    const idle = this.#tries.fresh ? undefined : pool.takeIdle(endpoint);
    if (idle !== undefined) return this.#begin(idle);
    pool.open(endpoint, this.#options.request.client.connection).then(
      (connection) => (this.#over || this.#tries.endpoint !== endpoint ? connection.destroy() : this.#begin(connection)),
      (error: unknown) => this.#unreachable(endpoint, error),
    );
  }

  #unreachable(endpoint: Endpoint, error: unknown): void {
    if (this.#over || this.#tries.afterNoConnection(endpoint)) return;
    const code = errnoCode(error) ?? "error";
    const { ip, port } = endpoint.address;
    this.#fail(code === "ETIMEDOUT" ? 504 : 502, "EndpointsFailed", `${ip}:${port} cannot be reached (${code})`);
  }

  #begin(connection: UpstreamConnection): void {
    this.#connection = connection;
    connection.use(this);
    connection.writeText(this.#options.head);
    let room = true;
    for (const bytes of this.#tries.replay() ?? this.#waiting ?? []) room = this.#send(bytes);
    this.#waiting = undefined;
    if (this.#requestDone) this.#sendEnd();
    else {
      connection.limit(this.#options.limits.bodyMs);
      if (room) this.#options.client.resumeBody();
    }
  }

  // The request's body, from the client.

  write(bytes: Buffer): boolean {
    if (this.#over) return true;
    if (this.#tries.keeps) this.#tries.keep(Buffer.from(bytes));
    if (this.#connection !== undefined) return this.#send(bytes);
    if (!this.#tries.keeps) (this.#waiting ??= []).push(Buffer.from(bytes));
    return false;
  }

  #send(bytes: Buffer): boolean {
    const { request, limits } = this.#options;
    const connection = this.#connection as UpstreamConnection;
    connection.limit(limits.bodyMs);
    if (request.body.kind !== "chunked" || request.framed) return connection.write(bytes);
    connection.writeText(`${bytes.length.toString(16)}\r\n`);
    connection.write(bytes);
    return connection.writeText("\r\n");
  }

  end(trailers: readonly Field[]): void {
    this.#requestDone = true;
    this.#trailers = trailers;
    if (this.#connection === undefined || this.#over) return;
    this.#sendEnd();
    if (!this.#answerDone) return;
    this.#leave(true);
    this.#tries.finish(this.#status);
  }

  #sendEnd(): void {
    const { request, limits, route } = this.#options;
    if (request.body.kind === "chunked") {
      this.#connection?.writeText(`0\r\n${(this.#trailers ?? []).map(({ name, value }) => `${name}: ${value}\r\n`).join("")}\r\n`);
    }
    if (this.#head !== undefined) return;
    const { responseMs, requestMs, backendRequestMs } = route.timeouts;
    this.#connection?.limit(responseMs ?? requestMs ?? backendRequestMs ?? limits.responseMs);
    this.#tries.sent();
  }

  onDrain(): void {
    if (!this.#requestDone) this.#options.client.resumeBody();
  }

  // The answer, from the endpoint.

  onData(bytes: Buffer): void {
    if (this.#head === undefined) this.#readHead(bytes);
    else if (this.#answerDone) this.#fail(502, "BadAnswer", "the endpoint says more than its answer");
    else this.#readBody(bytes);
    if (!this.#over) this.#options.client.flush();
  }

  #readHead(bytes: Buffer): void {
    let rest = this.#unparsed.length === 0 ? bytes : Buffer.concat([this.#unparsed, bytes]);
    for (;;) {
      const head = parseResponseHead(rest, this.#options.request.method, this.#connection?.lastHead);
      if (head.kind === "incomplete") {
        this.#unparsed = Buffer.from(rest);
        return;
      }
      if (head.kind === "malformed") return this.#fail(502, "BadAnswer", `the endpoint's answer cannot be read: ${head.why}`);
      rest = rest.subarray(head.bytes);
      if (head.status === 101) return this.#switchProtocols(head, rest);
      if (head.status >= 200) {
        this.#unparsed = emptyBytes;
        if (this.#connection !== undefined) this.#connection.lastHead = head;
        if (this.#tries.afterStatus(head.status)) return;
        return this.#respond(head, rest);
      }
      this.#interim(head);
    }
  }

  #interim(head: ResponseHead): void {
    this.#options.client.interim(head.status, head.reason, this.#linesOf(head));
  }

  #linesOf(head: ResponseHead): string {
    const { response } = this.#options.changes;
    return response === undefined ? head.passedOn : withoutNames(head.passedOn, replacedNames(response)) + addedLines(response);
  }

  #switchProtocols(head: ResponseHead, early: Buffer): void {
    if (this.#options.request.upgrade === undefined) return this.#fail(502, "BadAnswer", "the endpoint changed protocols unasked");
    const connection = this.#connection as UpstreamConnection;
    this.#connection = undefined;
    const socket = connection.detach();
    socket.pause();
    this.#over = true;
    this.#options.client.tunnel(head, socket, early);
    this.#tries.finish(101);
  }

  #respond(head: ResponseHead, rest: Buffer): void {
    this.#head = head;
    this.#status = head.status;
    this.#tries.answered();
    const { client, limits } = this.#options;
    const { body } = head;
    client.respond({
      status: head.status,
      reason: head.reason,
      body: answerBody(head),
      lines: this.#linesOf(head) + this.#tries.cookieLine(),
    });
    if (body.kind === "none" || (body.kind === "length" && body.length === 0)) return this.#answerEnds([], rest);
    if (body.kind === "length") this.#left = body.length;
    else if (body.kind === "chunked") {
      const sink = {
        data: (bytes: Buffer) => this.#toClient(bytes),
        end: (trailers: readonly Field[]) => (this.#answerTrailers = trailers),
      };
      this.#chunks = new ChunkedReader(sink, client.framed);
    }
    this.#connection?.limit(limits.bodyMs);
    if (rest.length > 0) this.#readBody(rest);
  }

  #toClient(bytes: Buffer): void {
    const { client } = this.#options;
    const framing = this.#head?.body.kind === "until-close" && client.framed;
    const room = client.write(
      framing ? Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]) : bytes,
    );
    if (!room) this.#connection?.pause();
  }

  #readBody(bytes: Buffer): void {
    const connection = this.#connection;
    connection?.limit(this.#options.limits.bodyMs);
    const body = (this.#head as ResponseHead).body;
    if (body.kind === "until-close") return this.#toClient(bytes);
    if (body.kind === "length") return this.#readLength(bytes);
    const result = (this.#chunks as ChunkedReader).push(bytes);
    if (result.kind === "malformed") this.#fail(502, "BadAnswer", result.why);
    else if (result.kind === "end") this.#answerEnds(this.#answerTrailers, bytes.subarray(result.used));
  }

  #readLength(bytes: Buffer): void {
    const take = Math.min(this.#left, bytes.length);
    this.#left -= take;
    this.#toClient(take === bytes.length ? bytes : bytes.subarray(0, take));
    if (this.#left === 0) this.#answerEnds([], bytes.subarray(take));
  }

  #answerEnds(trailers: readonly Field[], rest: Buffer): void {
    if (this.#over) return;
    this.#answerDone = true;
    const { client } = this.#options;
    // An endpoint that says more than its answer is not asked again on this connection.
    const intact = (this.#head as ResponseHead).keepAlive && rest.length === 0;
    if (intact && !this.#requestDone) return client.end(trailers);
    const unread = !this.#requestDone;
    this.#leave(intact);
    client.end(trailers);
    if (unread) client.abort();
    this.#tries.finish(this.#status);
  }

  #leave(intact: boolean): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#over = true;
    if (intact) connection?.release(this.#head?.keepAliveTimeout);
    else connection?.destroy();
  }

  onEnd(): void {
    if (this.#head?.body.kind === "until-close") this.#answerEnds([], emptyBytes);
    else this.#broken("ECONNRESET");
  }

  onClose(code: string | undefined): void {
    if (this.#over) return;
    if (this.#head?.body.kind === "until-close" && code === undefined) this.#answerEnds([], emptyBytes);
    else this.#broken(code ?? "ECONNRESET");
  }

  /** The connection ended before the answer did. */
  #broken(code: string): void {
    const connection = this.#connection;
    const unanswered = this.#head === undefined && this.#unparsed.length === 0;
    if (connection !== undefined && unanswered && this.#tries.afterBreak(false, connection.reused)) return;
    this.#fail(502, "EndpointClosed", `the endpoint closed the connection before it had answered (${code})`);
  }

  onTimeout(): void {
    this.#fail(504, "EndpointTimeout", "the endpoint does not answer");
  }

  // The client.

  resume(): void {
    this.#connection?.resume();
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#tries.finish(this.#answerDone ? this.#status : 499);
  }

  #fail(status: number, reason: string, message: string): void {
    this.abandon();
    if (this.#over) return;
    this.#over = true;
    this.#tries.fail(this.#head?.status, { status, reason, message });
  }
}

function answerBody({ body, status, fields }: ResponseHead): AnswerBody {
  switch (body.kind) {
    case "length":
      return body;
    case "none": {
      const contentLength = status === 204 ? undefined : fields.find(({ role }) => role === "content-length")?.value;
      return contentLength === undefined ? { kind: "none" } : { kind: "none", contentLength };
    }
    case "chunked":
    case "until-close":
      return { kind: "stream" };
  }
}
