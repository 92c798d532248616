/**
 * A client's HTTP/2 connection, by node:http2: each stream is one request. What HTTP/2 allows and HTTP/1.1 does not (a value with
 * CR LF, a path that is none) must not reach an endpoint, so names, values and target are checked as HTTP/1.1's are.
 */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { normalizePath } from "../../decide/routes/index.ts";
import { isFieldValue, isToken, knownName, type Field, type LengthResult } from "../http1/fields.ts";
import { isAuthority, parseTarget } from "../http1/request-head.ts";
import { refusal, type OwnAnswer } from "./answers.ts";
import type { AnswerHead, ClientInfo, ClientSide, Exchange, ProxiedRequest } from "./client-side.ts";
import type { EngineLimits } from "./engine.ts";
import type { ArrivedStream } from "./secure-server.ts";

export interface Http2StreamOptions extends ArrivedStream {
  readonly info: Omit<ClientInfo, "httpVersion">;
  readonly limits: EngineLimits;
  readonly now: () => number;
  readonly handle: (request: ProxiedRequest, client: Http2Client) => Exchange | undefined;
  readonly refused: (status: number, why: string) => void;
}

export class Http2Client implements ClientSide {
  readonly framed = false;
  readonly #options: Http2StreamOptions;
  readonly #stream: ServerHttp2Stream;
  #exchange: Exchange | undefined;
  #trailers: readonly Field[] = [];
  #received = 0;
  #ended = false;

  constructor(options: Http2StreamOptions) {
    this.#options = options;
    this.#stream = options.stream;
    this.#stream.on("error", noticedAtClose);
    this.#stream.on("close", () => this.#gone());
    this.#stream.on("drain", () => this.#exchange?.resume());
  }

  start(): void {
    const { headers, rawHeaders, endOfStream, info, now, handle, limits } = this.#options;
    const request = proxiedRequest(headers, rawHeaders, endOfStream, { ...info, httpVersion: "2" }, now());
    if (typeof request === "string") return this.#refuse(400, request);
    if (request.body.kind === "length" && request.body.length > limits.bodyBytes)
      return this.#refuse(413, `a body of more than ${limits.bodyBytes} bytes`);
    const exchange = handle(request, this);
    if (exchange === undefined) return;
    this.#exchange = exchange;
    if (request.body.kind === "none") exchange.end([]);
    this.#stream.on("data", (bytes: Buffer) => this.#onData(bytes));
    this.#stream.on("end", () => {
      if (request.body.kind !== "none") this.#exchange?.end([]);
    });
  }

  #onData(bytes: Buffer): void {
    this.#received += bytes.length;
    if (this.#received > this.#options.limits.bodyBytes) return this.#tooLong();
    if (this.#exchange?.write(bytes) === false) this.#stream.pause();
  }

  #tooLong(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.abort();
    if (this.#stream.headersSent) this.#stream.close(constants.NGHTTP2_CANCEL);
    else this.#refuse(413, `a body of more than ${this.#options.limits.bodyBytes} bytes`);
  }

  #refuse(status: number, why: string): void {
    this.#options.refused(status, why);
    this.ownAnswer(refusal(status, "BadRequest", why));
  }

  ownAnswer({ status, lines, body }: OwnAnswer): void {
    const empty = this.#options.headers[":method"] === "HEAD" || body === "";
    this.respond({ status, reason: "", lines, body: { kind: "length", length: body.length } });
    if (!empty) this.write(Buffer.from(body, "latin1"));
    this.end([]);
    // Nobody takes the request's body any more.
    this.#exchange = undefined;
    this.#stream.resume();
  }

  interim(status: number, _reason: string, lines: string): void {
    if (this.#open()) this.#stream.additionalHeaders({ ":status": status, ...outgoing(lines) });
  }

  respond({ status, body, lines }: AnswerHead): void {
    if (!this.#open()) return;
    const length = body.kind === "length" ? String(body.length) : body.kind === "none" ? body.contentLength : undefined;
    const headers = { ...outgoing(lines), ...(length === undefined ? {} : { "content-length": length }), ":status": status };
    const waitForTrailers = body.kind === "stream";
    this.#stream.respond(headers, { waitForTrailers });
    if (waitForTrailers) this.#stream.on("wantTrailers", () => this.#stream.sendTrailers(outgoingFields(this.#trailers)));
  }

  write(bytes: Buffer): boolean {
    return this.#writable() ? this.#stream.write(bytes) : true;
  }

  flush(): void {
    // node:http2 gathers frames by itself.
  }

  end(trailers: readonly Field[]): void {
    this.#ended = true;
    this.#trailers = trailers;
    if (this.#writable()) this.#stream.end();
  }

  tunnel(): void {
    // Never asked for: HTTP/2 requests carry no Upgrade (RFC 9113 8.6).
    this.abort();
  }

  abort(): void {
    this.#exchange = undefined;
    // After a whole answer: no error, only no use for the rest of the request (RFC 9113 8.1).
    this.#stream.close(this.#ended ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_INTERNAL_ERROR);
  }

  resumeBody(): void {
    this.#stream.resume();
  }

  #open(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }

  /** Never of a HEAD request: node:http2 ends its body before there is an answer. */
  #writable(): boolean {
    return this.#open() && this.#stream.writable;
  }

  #gone(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    // Nothing happens to an exchange that is over.
    exchange?.abort();
  }
}

/** Or why not. */
function proxiedRequest(
  headers: IncomingHttpHeaders,
  raw: readonly string[],
  endOfStream: boolean,
  client: ClientInfo,
  began: number,
): ProxiedRequest | string {
  const {
    ":method": method = "",
    ":path": rawPath = "",
    ":authority": named,
    host,
  } = headers as Readonly<Record<string, string | undefined>>;
  if (!isToken(method) || method === "CONNECT") return "a method that is not served over HTTP/2";
  const authority = named ?? host ?? "";
  if (named !== undefined && host !== undefined && named !== host) return "a Host that is not the :authority";
  if (!isAuthority(authority)) return "an :authority that is no host";
  const target = rawPath.startsWith("/") ? parseTarget(rawPath, method) : undefined;
  if (target === undefined) return "a :path that is none";
  const path = normalizePath(target.path);
  if (path.kind === "bad") return path.why;
  const fields = goingFields(raw);
  if (typeof fields === "string") return fields;
  const text = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return {
    method,
    path: path.path,
    query: target.query,
    authority,
    header: (name) => joinedValue(headers[name]),
    lines: (except) =>
      except === undefined ? text : fields.flatMap(([name, value]) => (except.has(name) ? [] : [`${name}: ${value}\r\n`])).join(""),
    body: bodyOf(headers, endOfStream),
    framed: false,
    upgrade: undefined,
    client,
    began,
  };
}

function bodyOf(headers: IncomingHttpHeaders, endOfStream: boolean): LengthResult {
  if (endOfStream) return { kind: "none" };
  const length = headers["content-length"];
  return length !== undefined && /^\d{1,15}$/.test(length) ? { kind: "length", length: Number(length) } : { kind: "chunked" };
}

function joinedValue(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(", ") : value;
}

/** Those that go on, checked; cookies in one line again (RFC 9113 8.2.3). */
function goingFields(raw: readonly string[]): readonly (readonly [string, string])[] | string {
  const fields: [string, string][] = [];
  const cookies: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const [name = "", value = ""] = [raw[at], raw[at + 1]];
    if (name.startsWith(":")) continue;
    const known = knownName(name);
    if (known === undefined || !isFieldValue(value)) return "a header that HTTP/1.1 cannot have";
    if (known.name === "cookie") cookies.push(value);
    else if (known.role === "end-to-end" || known.role === "expect") fields.push([known.name, value]);
  }
  if (cookies.length > 0) fields.push(["cookie", cookies.join("; ")]);
  return fields;
}

function outgoing(lines: string): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const line of lines.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) append(headers, line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

function outgoingFields(fields: readonly Field[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const { name, value } of fields) append(headers, name, value);
  return headers;
}

function append(headers: Record<string, string | string[]>, name: string, value: string): void {
  const old = headers[name];
  headers[name] = old === undefined ? value : Array.isArray(old) ? [...old, value] : [old, value];
}

function noticedAtClose(): void {
  // `close` follows.
}
