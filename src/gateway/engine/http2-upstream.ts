/** A connection to an endpoint over HTTP/2, which requests share. Closes when it has been of no use for a while. */
import type { StreamSocket } from "../../net/stream-socket.ts";
import { Http2Connection } from "../http2/connection.ts";
import type { Http2Stream, StreamUser } from "../http2/stream.ts";
import type { Expiring, Sweeper } from "./sweeper.ts";

export interface Http2UpstreamOptions {
  readonly socket: StreamSocket;
  readonly sweeper: Sweeper;
  readonly now: () => number;
  readonly soon: (run: () => void) => void;
  /** It takes no further request: the next one needs another connection. */
  readonly spent: () => void;
  readonly closed: () => void;
}

const idleMs = 60_000;
const lingerMs = 2000;
/** Of an answer: endpoints are trusted with more than clients are. */
const headerLimits = { bytes: 65_536, fields: 256 };

export class Http2Upstream implements Expiring {
  deadline: number;
  readonly #connection: Http2Connection;
  readonly #sweeper: Sweeper;

  constructor({ socket, sweeper, now, soon, spent, closed }: Http2UpstreamOptions) {
    this.#sweeper = sweeper;
    this.deadline = sweeper.after(idleMs);
    const swept = sweeper.add(this);
    this.#connection = new Http2Connection({
      socket,
      role: "client",
      headerLimits,
      maxStreams: 0,
      now,
      soon,
      onActive: () => (this.deadline = sweeper.after(idleMs)),
      onGoaway: spent,
      onEnding: () => {
        this.deadline = sweeper.after(lingerMs);
        spent();
      },
      onClosed: () => {
        sweeper.remove(swept);
        spent();
        closed();
      },
    });
  }

  get closed(): boolean {
    return this.#connection.closed;
  }

  /** `parts`: of the request's header block. */
  request(parts: readonly Uint8Array[], user: StreamUser): Http2Stream {
    this.deadline = this.#sweeper.after(idleMs);
    return this.#connection.request(parts, user);
  }

  /** Requests under way are answered. */
  drain(): void {
    this.#connection.goAway();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  expire(): void {
    if (this.#connection.isOver) this.#connection.destroy();
    else if (this.#connection.streams === 0) this.#connection.goAway();
    else this.deadline = this.#sweeper.after(idleMs);
  }
}
