/**
 * The way to an API server elsewhere: one HTTP/2 session over TLS for all requests and watches. A server that does not
 * speak HTTP/2 gets HTTP/1.1, a connection per request under way. A lost connection is made anew by the next request,
 * after a pause that grows while the server cannot be reached.
 */
import type { ApiResponse } from "../api/request.ts";
import { realClock, sleep, type Clock } from "../lib/clock.ts";
import { errorMessage, FairleadError } from "../lib/errors.ts";
import { silentLogger, type Logger } from "../lib/log.ts";
import { BackOff } from "./back-off.ts";
import { authorization, connect, type Connection } from "./https-connect.ts";
import type { ServerConfig } from "./kubeconfig.ts";
import type { Transport, TransportRequest } from "./transport.ts";

export interface HttpsTransportOptions {
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly random?: () => number;
  /** How long a connection may take to be made, in milliseconds. Default 10,000. */
  readonly connectTimeout?: number;
  /** Gets the token of an exec plugin; without it a user with one is refused with FL_UNSUPPORTED. */
  readonly execCredential?: (plugin: NonNullable<ServerConfig["exec"]>) => Promise<string>;
}

/** Connects with the first request. */
export function httpsTransport(config: ServerConfig, options: HttpsTransportOptions = {}): Transport {
  return new HttpsTransport(config, options);
}

class HttpsTransport implements Transport {
  readonly #config: ServerConfig;
  readonly #options: HttpsTransportOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #backOff: BackOff;
  readonly #closed = new AbortController();
  #connection: Promise<Connection> | undefined;
  /** No attempt before this time (monotonic). */
  #notBefore = 0;

  constructor(config: ServerConfig, options: HttpsTransportOptions) {
    this.#config = config;
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#log = options.log ?? silentLogger;
    this.#backOff = new BackOff({ random: options.random ?? Math.random, longest: 5000 });
  }

  async send(request: TransportRequest): Promise<ApiResponse> {
    const headers = { "user-agent": "fairlead", ...(await authorization(this.#config, this.#options.execCredential)), ...request.headers };
    const full = { ...request, headers };
    const connection = await this.#connected(request.signal);
    try {
      return await connection.send(full);
    } catch (error) {
      request.signal?.throwIfAborted();
      // The connection had died unnoticed. Reading again is harmless; of a write nobody knows whether it was done.
      if (request.method !== "GET" || connection.fresh || this.#closed.signal.aborted) throw this.#unreachable(error);
      return (await this.#connected(request.signal)).send(full).catch((again: unknown) => Promise.reject(this.#unreachable(again)));
    }
  }

  /** The present connection, or a new one; many requests wait for one attempt. */
  async #connected(signal: AbortSignal | undefined): Promise<Connection> {
    if (this.#closed.signal.aborted) throw new FairleadError("FL_CONNECT", "the client is closed");
    for (;;) {
      signal?.throwIfAborted();
      const attempt = (this.#connection ??= this.#connect());
      const connection = await attempt;
      if (connection.usable) return connection;
      if (this.#connection === attempt) this.#connection = undefined;
    }
  }

  async #connect(): Promise<Connection> {
    const wait = this.#notBefore - this.#clock.monotonic();
    try {
      if (wait > 0) await sleep(this.#clock, wait, this.#closed.signal);
      const connection = await connect(this.#config, this.#options.connectTimeout ?? 10_000, this.#clock, this.#closed.signal);
      this.#backOff.reset();
      return connection;
    } catch (error) {
      this.#connection = undefined;
      this.#notBefore = this.#clock.monotonic() + this.#backOff.next();
      throw this.#unreachable(error);
    }
  }

  #unreachable(error: unknown): unknown {
    if (error instanceof FairleadError) return error;
    this.#log.debug("the server cannot be reached", { server: this.#config.server, error: errorMessage(error) });
    return new FairleadError("FL_CONNECT", `${this.#config.server} cannot be reached: ${errorMessage(error)}`, {
      cause: error,
      hint: `Is the cluster of context ${JSON.stringify(this.#config.context)} running?`,
    });
  }

  async close(): Promise<void> {
    this.#closed.abort(new FairleadError("FL_CONNECT", "the client is closed"));
    const connection = await this.#connection?.catch(() => undefined);
    await connection?.close();
  }
}
