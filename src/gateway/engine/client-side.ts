/** Between whoever took a request (HTTP/1.1 connection, HTTP/2 stream) and the exchange that has it answered. */
import type { ProxyAddresses } from "../../net/proxy-protocol.ts";
import type { StreamSocket } from "../../net/stream-socket.ts";
import type { Field, LengthResult } from "../http1/fields.ts";
import type { ResponseHead } from "../http1/response-head.ts";

export interface ProxiedRequest {
  readonly method: string;
  /** As `normalizePath` gives it. */
  readonly path: string;
  /** With its `?`, or "". */
  readonly query: string;
  readonly authority: string;
  /** Header fields that go on, by lower-case name; for matching. */
  readonly header: (name: string) => string | undefined;
  /** The lines of those that go on to the endpoint, each with its CR LF; `except`: lower-case names to leave out. */
  readonly lines: (except?: ReadonlySet<string>) => string;
  readonly body: LengthResult;
  /** A chunked body comes as chunks (HTTP/1.1), not as bare data. */
  readonly framed: boolean;
  /** The protocol to change to, if the client wants that. */
  readonly upgrade: string | undefined;
  readonly client: ClientInfo;
  /** Milliseconds, monotonic. */
  readonly began: number;
}

export interface ClientInfo {
  readonly address: string;
  readonly scheme: "http" | "https";
  readonly httpVersion: "1.0" | "1.1" | "2";
  /** Of the listener that took the connection, and its port. */
  readonly listener: string;
  readonly port: number;
  /** That the client asked for in its TLS handshake. */
  readonly serverName?: string;
  /** Of the connection: whom it speaks for, and where it was made to. */
  readonly connection?: ProxyAddresses;
  /** `address`, then the trusted proxies that the request came by. */
  readonly hops?: readonly string[];
}

/** How the client gets a body. */
export type AnswerBody =
  | { readonly kind: "none"; /** Of the body that a HEAD or 304 speaks about. */ readonly contentLength?: string }
  | { readonly kind: "length"; readonly length: number }
  /** Its end is said by `end`. */
  | { readonly kind: "stream" };

export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  readonly body: AnswerBody;
  /** The lines of the fields that go on, each with its CR LF. */
  readonly lines: string;
}

/**
 * What an exchange may ask of the client's side. After `tunnel` or `abort` it is not called again, nor after `end`, except that
 * an answer may end before its request: then the rest of the request still goes to the endpoint, and `abort` may follow.
 */
export interface ClientSide {
  /** It takes streamed bodies as chunks. */
  readonly framed: boolean;
  /** 100 or 103; may come several times before `respond`. */
  interim(status: number, reason: string, lines: string): void;
  respond(head: AnswerHead): void;
  /** False: no more until the exchange's `resume` is called. */
  write(bytes: Buffer): boolean;
  /** Whatever was held back for one write goes out. */
  flush(): void;
  end(trailers: readonly Field[]): void;
  /** The endpoint changed protocols: its socket belongs to the client's side now. `early`: what came after the head. */
  tunnel(head: ResponseHead, upstream: StreamSocket, early: Buffer): void;
  /** The answer broke off: the client must not take it for whole. After `end`: what still comes of the request is of no use. */
  abort(): void;
  /** The request's body may go on coming, after `write` of the exchange gave false. */
  resumeBody(): void;
}

/** What the client's side tells the exchange. */
export interface Exchange {
  /** A piece of the request's body. False: no more until `resumeBody`. */
  write(bytes: Buffer): boolean;
  /** The request is whole. */
  end(trailers: readonly Field[]): void;
  /** The client takes more of the answer. */
  resume(): void;
  /** The client has gone, or its request was malformed in the middle. */
  abort(): void;
}
