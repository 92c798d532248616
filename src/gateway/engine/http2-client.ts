/** A client's HTTP/2 connection: each stream is one request, answered side by side with the others. */
import type { StreamSocket } from "../../net/stream-socket.ts";
import { defaultHeadLimits } from "../http1/request-head.ts";
import { errorCodes } from "../http2/codes.ts";
import { Http2Connection } from "../http2/connection.ts";
import type { HeaderBlock } from "../http2/hpack-decoder.ts";
import type { Http2Stream, StreamUser } from "../http2/stream.ts";
import type { ClientInfo, Exchange, ProxiedRequest } from "./client-side.ts";
import type { EngineLimits } from "./engine.ts";
import { readRequest, type Http2RequestResult } from "./http2-request.ts";
import { StreamClient } from "./http2-stream-client.ts";
import type { Expiring, Sweeper } from "./sweeper.ts";

export interface Http2ClientOptions {
  readonly socket: StreamSocket;
  readonly info: Omit<ClientInfo, "httpVersion">;
  readonly limits: EngineLimits;
  readonly sweeper: Sweeper;
  readonly now: () => number;
  /** At the end of the turn. */
  readonly soon: (run: () => void) => void;
  /** Has the request answered. Undefined: it was answered already, by `ownAnswer`. */
  readonly handle: (request: ProxiedRequest, client: StreamClient) => Exchange | undefined;
  readonly refused: (status: number, why: string) => void;
  readonly closed: () => void;
}

/** How long what a client still sends is read when we have ended. */
const lingerMs = 2000;

export class Http2Client implements Expiring {
  deadline: number;
  readonly info: ClientInfo;
  readonly options: Http2ClientOptions;
  readonly #connection: Http2Connection;
  /** Of the last request: the next one may be the same, byte for byte. */
  #last: { readonly block: HeaderBlock; readonly endStream: boolean; readonly request: Http2RequestResult } | undefined;

  constructor(options: Http2ClientOptions) {
    const { socket, info, limits, sweeper, now, soon } = options;
    this.options = options;
    this.info = { ...info, httpVersion: "2" };
    this.deadline = sweeper.after(limits.headMs);
    const swept = sweeper.add(this);
    this.#connection = new Http2Connection({
      socket,
      role: "server",
      headerLimits: { bytes: defaultHeadLimits.headBytes, fields: defaultHeadLimits.fields },
      maxStreams: limits.streams,
      now,
      soon,
      onRequest: (stream, block, endStream) => this.#request(stream, block, endStream),
      onActive: () => this.#active(),
      onEnding: () => (this.deadline = sweeper.after(lingerMs)),
      onClosed: () => {
        sweeper.remove(swept);
        options.closed();
      },
    });
  }

  get listener(): string {
    return this.info.listener;
  }

  /** Bytes that were read before. */
  read(seen: Buffer): void {
    this.#connection.read(seen);
  }

  /** No further request is taken; those under way are answered. */
  drain(): void {
    this.#connection.goAway();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  /** A head that comes drop by drop does not get more time with each. */
  #active(): void {
    const { sweeper, limits } = this.options;
    if (!this.#connection.midBlock) this.deadline = sweeper.after(limits.idleMs);
  }

  expire(): void {
    const connection = this.#connection;
    if (connection.isOver || connection.midBlock || connection.stalled) connection.destroy();
    else if (connection.streams === 0) connection.goAway();
    // A stream may be silent for as long as it likes: gRPC's are.
    else this.deadline = this.options.sweeper.after(this.options.limits.idleMs);
  }

  #request(stream: Http2Stream, block: HeaderBlock, endStream: boolean): StreamUser | undefined {
    const client = new StreamClient(this, stream);
    if (block.kind !== "headers") {
      client.refuse(431, "the head is too large");
      return undefined;
    }
    const last = this.#last;
    const same = last !== undefined && last.block === block && last.endStream === endStream;
    const request = same ? last.request : readRequest(block.fields, endStream);
    if (!same) this.#last = { block, endStream, request };
    if (request.kind === "malformed") {
      stream.reset(errorCodes.protocol);
      return undefined;
    }
    client.begin(request);
    return client;
  }
}
