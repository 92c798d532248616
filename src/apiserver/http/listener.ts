/**
 * The API over HTTPS: HTTP/2 and HTTP/1.1 on one port, client certificates and bearer tokens. Nothing that a client sends or
 * leaves out brings it down; every refusal is a Status.
 */
import { createSecureServer, type Http2SecureServer, type Http2Session } from "node:http2";
import type { IncomingMessage } from "node:http";
import { createServer, type AddressInfo, type ListenOptions, type Server } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { ApiHandler, ApiRequest, UserInfo } from "../../api/request.ts";
import { internalError, StatusError } from "../../api/status.ts";
import type { Clock } from "../../lib/clock.ts";
import { errnoCode, errorMessage, FairleadError } from "../../lib/errors.ts";
import { joinHostPort } from "../../lib/ip.ts";
import type { Logger } from "../../lib/log.ts";
import type { MetricsRegistry } from "../../lib/metrics.ts";
import { authenticate, type TokenAuthenticator } from "../auth/authenticate.ts";
import type { Address } from "../bootstrap.ts";
import { failed } from "../handler.ts";
import { acceptsGzip } from "./compress.ts";
import { Departure } from "./departure.ts";
import { InFlight } from "./in-flight.ts";
import { defaultLimits, type RequestLimits } from "./limits.ts";
import { peerCertificate } from "./peer.ts";
import { readBytes, readHead, type HttpRequest, type RequestHead } from "./read-request.ts";
import { refuseUpgrade, statusText } from "./refuse.ts";
import type { PodStreams } from "./upgrade.ts";
import { lasts, writeResponse, type HttpResponse } from "./write-response.ts";

export type { RequestLimits } from "./limits.ts";

export interface TlsMaterial {
  /** PEM of the authority whose client certificates are trusted. */
  readonly ca: string;
  /** PEM */
  readonly cert: string;
  readonly key: string;
}

export interface ListenerOptions {
  readonly handler: ApiHandler;
  readonly tls: TlsMaterial;
  readonly tokens: TokenAuthenticator;
  readonly limits: Partial<RequestLimits>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** What exec needs: it takes over the connection, so it does not pass the handler. */
  readonly pods: PodStreams;
}

export interface Listener {
  /** Where `listen` listens; port 0 before. */
  readonly address: Address;
  /** Once. Throws FL_LISTEN. */
  listen(address: Address): Promise<void>;
  /**
   * Accepts on a listening socket that somebody else made, such as a thread in another network namespace, and owns the descriptor
   * from now on. TLS, limits and upgrades are the same. Throws FL_LISTEN.
   */
  listenOn(fd: number): Promise<void>;
  /** From the next connection on. */
  useCertificate(tls: TlsMaterial): void;
  /** Ends watches, lets other requests finish for a moment, then cuts. */
  close(): Promise<void>;
}

export function createListener(options: ListenerOptions): Listener {
  return new Shell(options);
}

class Shell implements Listener {
  readonly #options: ListenerOptions;
  readonly #limits: RequestLimits;
  readonly #server: Http2SecureServer;
  readonly #inFlight: InFlight;
  /** Watches and logs under way: they would never end by themselves when the server stops. */
  readonly #lasting = new Set<Departure>();
  readonly #sessions = new Set<Http2Session>();
  /** Every connection, and of those that speak HTTP/1.1 the ones with a request under way. */
  readonly #sockets = new Set<TLSSocket>();
  readonly #busy = new Set<Duplex>();
  /** They accept for `#server`, which can listen on one socket only. */
  readonly #doors = new Set<Server>();
  #stopping = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#inFlight = new InFlight(this.#limits, options.metrics, options.clock);
    this.#server = this.#createServer();
  }

  #createServer(): Http2SecureServer {
    const { tls } = this.#options;
    const { headerBytes, concurrentStreams, headersTimeout } = this.#limits;
    const server = createSecureServer({
      allowHTTP1: true,
      ca: tls.ca,
      cert: tls.cert,
      key: tls.key,
      minVersion: "TLSv1.2",
      // A client without a certificate may have a token; whether a certificate is any good is for authentication to say.
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: headersTimeout,
      maxHeaderSize: headerBytes,
      settings: { maxConcurrentStreams: concurrentStreams, maxHeaderListSize: headerBytes },
    } as Parameters<typeof createSecureServer>[0]);
    Object.assign(server, { headersTimeout, requestTimeout: 0, keepAliveTimeout: 0 });
    server.on("request", (request, response) => void this.#serve(request, response));
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => void this.#upgrade(request, socket, head));
    server.on("session", (session) => this.#keep(session, this.#sessions));
    server.on("secureConnection", (socket) => this.#keep(socket, this.#sockets));
    server.on("sessionError", (error) => this.#options.log.debug("a connection failed", { error: errorMessage(error) }));
    server.on("tlsClientError", (error) => this.#options.log.debug("a TLS handshake failed", { error: errorMessage(error) }));
    server.on("clientError", (error: Error, socket: Duplex) => this.#malformed(error, socket));
    return server;
  }

  #keep<T extends { once(event: "close", listener: () => void): unknown }>(item: T, set: Set<T>): void {
    set.add(item);
    item.once("close", () => set.delete(item));
  }

  get address(): Address {
    const bound = this.#server.address() as AddressInfo | null;
    return bound === null ? { host: "", port: 0 } : { host: bound.address, port: bound.port };
  }

  async listen({ host, port }: Address): Promise<void> {
    await listening(this.#server, { host, port, exclusive: true }, joinHostPort(host, port));
    this.#server.on("error", (error) => this.#options.log.error("the listener failed", { error: errorMessage(error) }));
  }

  async listenOn(fd: number): Promise<void> {
    const door = createServer({ noDelay: true }, (socket) => this.#server.emit("connection", socket));
    await listening(door, { fd }, `descriptor ${fd}`);
    door.on("error", (error) => this.#options.log.error("a further listener failed", { error: errorMessage(error) }));
    this.#doors.add(door);
  }

  useCertificate({ ca, cert, key }: TlsMaterial): void {
    this.#server.setSecureContext({ ca, cert, key });
  }

  async #serve(request: HttpRequest, response: HttpResponse): Promise<void> {
    const departure = new Departure();
    const { socket } = request;
    const isHttp1 = request.httpVersionMajor < 2;
    if (isHttp1) this.#busy.add(socket);
    response.once("close", () => {
      departure.end();
      this.#lasting.delete(departure);
      this.#busy.delete(socket);
      if (isHttp1 && this.#stopping) socket.destroySoon();
    });
    response.on("error", (error: Error) => this.#options.log.debug("an answer was cut off", { error: errorMessage(error) }));
    try {
      await this.#answer(request, response, departure);
    } catch (error) {
      this.#fail(request, response, error);
    }
  }

  async #answer(request: HttpRequest, response: HttpResponse, departure: Departure): Promise<void> {
    const { handler, tokens, clock } = this.#options;
    const head = readHead(request);
    const user = await authenticate({ certificate: peerCertificate(request), authorization: head.headers["authorization"] }, tokens);
    const address = request.socket.remoteAddress;
    const seat = this.#inFlight.enter({ head, user, address, isGone: () => departure.gone });
    const leave = typeof seat === "function" ? seat : await seat;
    try {
      const body = await readBytes(request, this.#limits, clock);
      const answer = await handler.handle(apiRequest(head, user, address, body, departure));
      if (lasts(answer.body)) {
        leave();
        this.#lasting.add(departure);
        if (this.#stopping) departure.end();
      }
      await writeResponse(response, answer, departure, acceptsGzip(head.headers["accept-encoding"]));
    } finally {
      leave();
    }
  }

  /** What failed before the handler was asked, or while its answer was written. */
  #fail(request: HttpRequest, response: HttpResponse, error: unknown): void {
    if (response.headersSent) {
      this.#options.log.debug("an answer was cut off", { path: request.url, error: errorMessage(error) });
      response.destroy();
      return;
    }
    if (!(error instanceof StatusError)) this.#options.log.error("a request failed", { path: request.url, error: errorMessage(error) });
    const answer = failed(error instanceof StatusError ? error : internalError("a fault of the server; its log says more"));
    // The rest of a body that nobody reads must not be taken for the next request.
    if (request.httpVersionMajor < 2) response.setHeader("connection", "close");
    writeResponse(response, answer, new Departure()).catch((cause: unknown) =>
      this.#options.log.debug("a refusal was cut off", { error: errorMessage(cause) }),
    );
    request.resume();
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", (error) => this.#options.log.debug("an upgraded connection failed", { error: errorMessage(error) }));
    try {
      const fields = readHead(request);
      const user = await authenticate(
        { certificate: peerCertificate(request), authorization: fields.headers["authorization"] },
        this.#options.tokens,
      );
      const { upgrade } = await import("./upgrade.ts");
      await upgrade({
        request,
        socket,
        head,
        api: { ...fields, user, ...(request.socket.remoteAddress === undefined ? {} : { source: request.socket.remoteAddress }) },
        pods: this.#options.pods,
        clock: this.#options.clock,
        log: this.#options.log,
      });
    } catch (error) {
      if (!(error instanceof StatusError)) this.#options.log.error("an upgrade failed", { path: request.url, error: errorMessage(error) });
      refuseUpgrade(socket, error instanceof StatusError ? error : internalError("a fault of the server; its log says more"));
    }
  }

  /** Not HTTP at all, or too much of it. */
  #malformed(error: Error, socket: Duplex): void {
    this.#options.log.debug("a request cannot be read", { error: errorMessage(error) });
    // The parser complains again about each further piece; the refusal is on its way.
    if (socket.writableEnded) return;
    if (!socket.writable || errnoCode(error) === "ECONNRESET") return void socket.destroy();
    const [code, message] = statusText(errnoCode(error));
    refuseUpgrade(
      socket,
      new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason: "BadRequest", code }),
    );
  }

  async close(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const closed = Promise.all([this.#server, ...this.#doors].map(ended));
    for (const departure of this.#lasting) departure.end();
    for (const session of this.#sessions) session.close();
    for (const socket of this.#sockets) if (socket.alpnProtocol !== "h2" && !this.#busy.has(socket)) socket.destroy();
    const timer = this.#options.clock.after(this.#limits.stopGrace, () => this.#cut());
    await closed;
    timer.cancel();
  }

  #cut(): void {
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Its signal is made for who asks. */
function apiRequest(
  head: RequestHead,
  user: UserInfo,
  source: string | undefined,
  body: Buffer | undefined,
  departure: Departure,
): ApiRequest {
  return {
    ...head,
    ...(source === undefined ? {} : { source }),
    user,
    get signal() {
      return departure.signal;
    },
    ...(body === undefined ? {} : { body }),
  };
}

function listening(server: Server | Http2SecureServer, options: ListenOptions | { readonly fd: number }, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(where, error)));
    server.listen(options, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
}

function ended(server: Server | Http2SecureServer): Promise<void> {
  return new Promise((resolve) => (server.listening ? server.close(() => resolve()) : resolve()));
}

function cannotListen(where: string, cause: Error): FairleadError {
  switch (errnoCode(cause)) {
    case "EADDRINUSE":
      return new FairleadError("FL_LISTEN", `${where} is in use by another program`, {
        cause,
        hint: "Choose another port, or 0 for any that is free.",
      });
    case "EACCES":
      return new FairleadError("FL_LISTEN", `${where} may not be bound by this user`, {
        cause,
        hint: "Ports below 1024 need root: choose a higher one.",
      });
    default:
      return new FairleadError("FL_LISTEN", `${where} cannot be bound: ${cause.message}`, { cause });
  }
}
