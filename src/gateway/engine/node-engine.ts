/** The engine on Node's own sockets: `node:net`, `node:tls` and `node:http2`, in the thread that makes it. */
import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { BackendRef, Listener, Route, RouteTable } from "../../decide/routes/index.ts";
import type { Clock } from "../../lib/clock.ts";
import { listenTcp } from "../../net/listener.ts";
import type { StreamSocket } from "../../net/stream-socket.ts";
import { defaultHeadLimits } from "../http1/request-head.ts";
import { redirect, refusal, type OwnAnswer } from "./answers.ts";
import { Backends } from "./backends.ts";
import type { ClientInfo, ClientSide, Exchange, ProxiedRequest } from "./client-side.ts";
import {
  defaultLimits,
  type Engine,
  type EngineChange,
  type EngineLimits,
  type EngineListen,
  type EngineListener,
  type EngineStats,
  type ListenFailure,
} from "./engine.ts";
import { HttpExchange } from "./exchange.ts";
import { Http1Client } from "./http1-client.ts";
import { Http2Client } from "./http2-client.ts";
import { addedLines, framingLine, identityLines, replacedNames } from "./lines.ts";
import { decide, type Decision } from "./router.ts";
import { Sweeper } from "./sweeper.ts";
import { createSecureServer, type ArrivedStream, type SecureServer } from "./secure-server.ts";
import { CertificateStore } from "./tls.ts";
import { UpstreamPool, type Connect } from "./upstream.ts";

/** What became of a request: the access log's line, the metrics' labels. */
export interface RequestRecord {
  readonly request: ProxiedRequest | undefined;
  readonly route: Route | undefined;
  readonly status: number;
  /** Of a refusal. */
  readonly reason: string | undefined;
  readonly endpoint: string | undefined;
  readonly milliseconds: number;
}

/** Opens a port; what comes there is paused. */
export type Listen = (
  options: Pick<EngineListen, "host" | "port"> & { readonly onConnection: (socket: StreamSocket) => void },
) => Promise<OpenListener | ListenFailure>;

export interface OpenListener extends EngineListener {
  close(): Promise<void>;
}

export interface NodeEngineOptions {
  readonly connect: Connect;
  /** Default: by `node:net`. */
  readonly listen?: Listen;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits?: Partial<EngineLimits>;
  readonly onRequest?: (record: RequestRecord) => void;
}

export function createNodeEngine(options: NodeEngineOptions): Engine {
  return new NodeEngine(options);
}

type OwnAnswering = ClientSide & { ownAnswer(answer: OwnAnswer): void };

class NodeEngine implements Engine {
  readonly #options: NodeEngineOptions;
  readonly #limits: EngineLimits;
  readonly #sweeper: Sweeper;
  readonly #pool: UpstreamPool;
  readonly #backends: Backends;
  readonly #certificates = new CertificateStore();
  readonly #listeners: OpenListener[] = [];
  readonly #secureServers: SecureServer[] = [];
  readonly #clients = new Set<Http1Client>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #tunnels = new Set<readonly [StreamSocket, StreamSocket]>();
  readonly #raw = new Set<StreamSocket>();
  #table: ReadonlyMap<string, Listener> = new Map();
  readonly #context = {
    chooseBackend: (refs: readonly BackendRef[]) => this.#backends.chooseBackend(refs),
    // Until there is an HTTPS listener: where one would be.
    securePort: 443,
  };
  #requests = 0;
  #stopping = false;
  #whenDrained = () => {};

  constructor(options: NodeEngineOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#sweeper = new Sweeper(options.clock);
    this.#backends = new Backends(options.random);
    const { connectMs, idleUpstreams } = this.#limits;
    this.#pool = new UpstreamPool({ connect: options.connect, sweeper: this.#sweeper, connectMs, maxIdle: idleUpstreams });
  }

  publish({ routeTable, backends, certificates }: EngineChange): void {
    for (const [key, backend] of backends ?? []) this.#backends.set(key, backend);
    if (routeTable !== undefined) this.#table = listenersOf(routeTable);
    if (certificates === undefined) return;
    this.#certificates.replace(certificates);
    for (const server of this.#secureServers) server.certificatesChanged();
  }

  async listen({ name, protocol, host, port }: EngineListen): Promise<EngineListener | ListenFailure> {
    let accept: (socket: StreamSocket) => void = (socket) => void socket.destroy();
    const listener = await (this.#options.listen ?? listenTcp)({ host, port, onConnection: (socket) => this.#admit(socket, accept) });
    if (listener.kind === "failed") return listener;
    this.#listeners.push(listener);
    if (protocol === "HTTPS") this.#context.securePort = listener.port;
    accept = protocol === "HTTP" ? this.#plain(name, listener.port) : this.#secure(name, listener.port);
    return { kind: "ok", host: listener.host, port: listener.port };
  }

  #admit(socket: StreamSocket, accept: (socket: StreamSocket) => void): void {
    socket.on("error", noticedAtClose);
    if (this.#raw.size >= this.#limits.connections || this.#stopping) return void socket.destroy();
    this.#raw.add(socket);
    socket.once("close", () => this.#raw.delete(socket));
    accept(socket);
  }

  #plain(listener: string, port: number): (socket: StreamSocket) => void {
    return (socket) => this.#http1(socket, { address: socket.remoteAddress ?? "", scheme: "http", listener, port });
  }

  #secure(listener: string, port: number): (socket: StreamSocket) => void {
    const infoOf = (socket: TLSSocket) => ({ address: socket.remoteAddress ?? "", scheme: "https", listener, port }) as const;
    const server = createSecureServer({
      certificates: this.#certificates,
      limits: this.#limits,
      onHttp1: (socket) => this.#http1(socket, infoOf(socket)),
      onSession: (session) => this.#follow(session),
      onStream: (arrived, socket) => this.#http2(arrived, infoOf(socket)),
    });
    this.#secureServers.push(server);
    // Whoever listens otherwise than by `node:net` opens no HTTPS here: `node:tls` takes nothing else.
    return (socket) => server.accept(socket as Socket);
  }

  #follow(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.once("close", () => {
      this.#sessions.delete(session);
      this.#clientGone();
    });
  }

  #http1(socket: StreamSocket, info: Omit<ClientInfo, "httpVersion">): void {
    const client = new Http1Client({
      socket,
      info,
      limits: this.#limits,
      headLimits: defaultHeadLimits,
      sweeper: this.#sweeper,
      now: () => this.#options.clock.monotonic(),
      handle: (request, side) => this.#handle(request, side),
      refused: (status, why) => this.#refused(status, why),
      closed: () => {
        this.#clients.delete(client);
        this.#clientGone();
      },
      tunnelOpened: (...pair) => this.#tunnelOpened(pair),
    });
    this.#clients.add(client);
  }

  #http2(arrived: ArrivedStream, info: Omit<ClientInfo, "httpVersion">): void {
    new Http2Client({
      ...arrived,
      info,
      limits: this.#limits,
      now: () => this.#options.clock.monotonic(),
      handle: (request, side) => this.#handle(request, side),
      refused: (status, why) => this.#refused(status, why),
    }).start();
  }

  #tunnelOpened(pair: readonly [StreamSocket, StreamSocket]): () => void {
    this.#tunnels.add(pair);
    return () => this.#tunnels.delete(pair);
  }

  #handle(request: ProxiedRequest, client: OwnAnswering): Exchange | undefined {
    this.#requests += 1;
    const decision = decide(this.#table.get(request.client.listener), request, this.#context);
    switch (decision.kind) {
      case "forward":
        return this.#forward(request, client, decision);
      case "redirect": {
        const { response } = decision.changes;
        client.ownAnswer(redirect(decision.status, decision.location, response === undefined ? "" : addedLines(response)));
        this.#record(request, decision.route, decision.status);
        return undefined;
      }
      case "refuse":
        client.ownAnswer(refusal(decision.status, decision.reason, decision.message));
        this.#record(request, decision.route, decision.status, decision.reason);
        return undefined;
    }
  }

  #forward(request: ProxiedRequest, client: OwnAnswering, decision: Extract<Decision, { kind: "forward" }>): Exchange {
    const { route, backend, changes } = decision;
    let reason: string | undefined;
    const exchange = new HttpExchange({
      request,
      client,
      route,
      backend,
      changes,
      head: endpointHead(request, decision),
      backends: this.#backends,
      pool: this.#pool,
      sweeper: this.#sweeper,
      limits: this.#limits,
      refuse: (status, why, message) => {
        reason = why;
        client.ownAnswer(refusal(status, why, message));
      },
      finished: (status, endpoint) => this.#record(request, route, status, reason, endpoint?.key),
    });
    exchange.start();
    return exchange;
  }

  #record(request: ProxiedRequest, route: Route | undefined, status: number, reason?: string, endpoint?: string): void {
    const { onRequest, clock } = this.#options;
    onRequest?.({ request, route, status, reason, endpoint, milliseconds: clock.monotonic() - request.began });
  }

  #refused(status: number, why: string): void {
    this.#options.onRequest?.({ request: undefined, route: undefined, status, reason: why, endpoint: undefined, milliseconds: 0 });
  }

  stats(): EngineStats {
    return { clients: this.#raw.size, tunnels: this.#tunnels.size, requests: this.#requests };
  }

  async stop(graceMs = 0): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#listeners.splice(0).map((listener) => listener.close()));
    for (const client of this.#clients) client.drain();
    for (const session of this.#sessions) session.close();
    if (graceMs > 0 && this.#clients.size + this.#sessions.size > 0) await this.#drained(graceMs);
    for (const socket of this.#raw) socket.destroy();
    for (const pair of this.#tunnels) for (const socket of pair) socket.destroy();
    this.#pool.close();
    this.#sweeper.stop();
  }

  /** Resolves when every client has gone, or the time is over. */
  #drained(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(graceMs, resolve);
      this.#whenDrained = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #clientGone(): void {
    if (this.#clients.size + this.#sessions.size === 0) this.#whenDrained();
  }
}

function listenersOf(table: RouteTable): ReadonlyMap<string, Listener> {
  return new Map(table.listeners.map((listener) => [listener.name, listener]));
}

/** The request as the endpoint gets it. */
function endpointHead(request: ProxiedRequest, { target, authority, changes }: Extract<Decision, { kind: "forward" }>): string {
  const change = changes.request;
  const lines = change === undefined ? request.lines() : request.lines(replacedNames(change)) + addedLines(change);
  const upgrade = request.upgrade === undefined ? "" : `Connection: Upgrade\r\nUpgrade: ${request.upgrade}\r\n`;
  const framing = framingLine(request.body.kind === "chunked" ? { kind: "stream" } : request.body, true);
  return `${request.method} ${target} HTTP/1.1\r\nHost: ${authority}\r\n${lines}${identityLines(request.client, request.authority)}${upgrade}${framing}\r\n`;
}

function noticedAtClose(): void {
  // An error is always followed by `close`; without a listener it would end the process.
}
