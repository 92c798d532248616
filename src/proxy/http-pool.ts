/**
 * The seam to an engine that reads HTTP: what makes each request of a connection go to an endpoint of its own. The proxy knows where
 * requests may go and chooses; the engine, which belongs to another floor, reads and forwards them. Who composes the program gives it.
 */
import type { Clock } from "../lib/clock.ts";
import type { StreamSocket } from "../net/stream-socket.ts";

export interface HttpEndpoint {
  readonly ip: string;
  readonly port: number;
}

export interface HttpPoolOptions {
  readonly namespace: string;
  readonly name: string;
  /** The Service's. */
  readonly port: number;
  /** How endpoints are spoken to; clients may come with HTTP/1.1 or, by prior knowledge, HTTP/2 in either case. */
  readonly speaks: "http1" | "h2c";
  readonly clock: Clock;
  /**
   * One of `usable`, by its key; undefined: any will do. `usable`: `ip port` → requests under way; those of the last `update` which this
   * request has not tried and which have not just failed.
   */
  readonly choose: (client: string, usable: ReadonlyMap<string, { readonly active: number }>) => string | undefined;
  /** A connected socket, not yet read. Rejects with the system's error. Requests of many clients share it. */
  readonly connect: (endpoint: HttpEndpoint, timeoutMs: number) => Promise<StreamSocket>;
  /** Runs it when the present events of the sockets' loop have been dealt with. Default: `setImmediate`. */
  readonly soon?: ((run: () => void) => void) | undefined;
}

/** The endpoints of a Service port to which requests go. */
export interface HttpPool {
  /** Takes a client's connection, paused, from here to its end. */
  serve(socket: StreamSocket): void;
  /** Counts from the next request on; what is under way goes on where it is. None: requests on open connections get 503. */
  update(endpoints: readonly HttpEndpoint[]): void;
  /** Open connections end after the answer that is under way; upgraded ones go on. */
  drain(): Promise<void>;
  /** Everything is cut. */
  stop(): Promise<void>;
}

export type OpenHttpPool = (options: HttpPoolOptions) => HttpPool;
