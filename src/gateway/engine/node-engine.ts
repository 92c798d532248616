/** The engine on Node's own sockets: `node:net`, `node:tls` and `node:http2`, in the thread that makes it. */
import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { compareHosts, sectionOf, type StreamListener, type StreamSection } from "../../decide/routes/index.ts";
import type { Clock } from "../../lib/clock.ts";
import { listenTcp } from "../../net/listener.ts";
import type { StreamSocket } from "../../net/stream-socket.ts";
import { defaultHeadLimits } from "../http1/request-head.ts";
import { Backends } from "./backends.ts";
import type { ClientInfo } from "./client-side.ts";
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
import { Http1Client } from "./http1-client.ts";
import { Http2Client } from "./http2-client.ts";
import { Requests, type RequestsOptions } from "./requests.ts";
import { Sweeper } from "./sweeper.ts";
import { createHttp2, createSecureServer, type ArrivedStream, type SecureServer, type SecureServerOptions } from "./secure-server.ts";
import { OwnTls } from "./own-tls.ts";
import { sniffServerName, Streams, type StreamsOptions } from "./streams.ts";
import { CertificateStore } from "./tls.ts";
import { UpstreamPool, type Connect } from "./upstream.ts";

export interface NodeEngineOptions {
  readonly connect: Connect;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits?: Partial<EngineLimits>;
  readonly onRequest?: RequestsOptions["onRequest"];
  /** How datagrams reach an endpoint. Default: from this host's network. */
  readonly udpTarget?: StreamsOptions["udpTarget"];
}

export function createNodeEngine(options: NodeEngineOptions): Engine {
  return new NodeEngine(options);
}

class NodeEngine implements Engine {
  readonly #options: NodeEngineOptions;
  readonly #limits: EngineLimits;
  readonly #sweeper: Sweeper;
  readonly #pool: UpstreamPool;
  readonly #backends: Backends;
  readonly #certificates = new CertificateStore();
  readonly #listeners = new Set<EngineListener>();
  /** Of listeners whose certificates are everyone's. */
  readonly #secureServers: SecureServer[] = [];
  readonly #ownTls = new OwnTls();
  readonly #requests: Requests;
  readonly #streams: Streams;
  #plainHttp2: Http2Server | undefined;
  #streamListeners: ReadonlyMap<string, StreamListener> = new Map();
  /** With the listener that each came by. */
  readonly #clients = new Map<Http1Client, string>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #tunnels = new Set<readonly [StreamSocket, StreamSocket]>();
  readonly #raw = new Set<StreamSocket>();
  /** Of plain connections over HTTP/2. */
  readonly #plainInfos = new WeakMap<ServerHttp2Session, Omit<ClientInfo, "httpVersion">>();
  #stopping = false;
  #whenDrained = () => {};

  constructor(options: NodeEngineOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#sweeper = new Sweeper(options.clock);
    this.#backends = new Backends(options.random);
    const { connectMs, idleUpstreams } = this.#limits;
    this.#pool = new UpstreamPool({ connect: options.connect, sweeper: this.#sweeper, connectMs, maxIdle: idleUpstreams });
    this.#requests = new Requests({
      backends: this.#backends,
      pool: this.#pool,
      sweeper: this.#sweeper,
      clock: options.clock,
      random: options.random,
      limits: this.#limits,
      toBackends: (listener) => this.#ownTls.toBackends(listener),
      onRequest: options.onRequest,
    });
    this.#streams = new Streams({
      backends: this.#backends,
      pool: this.#pool,
      sweeper: this.#sweeper,
      clock: options.clock,
      limits: this.#limits,
      listener: (name) => this.#streamListeners.get(name),
      udpTarget: options.udpTarget,
      opened: (pair) => this.#tunnelOpened(pair),
    });
  }

  publish({ routeTable, backends, certificates, tls }: EngineChange): void {
    for (const [key, backend] of backends ?? []) this.#backends.set(key, backend);
    if (routeTable !== undefined) {
      this.#requests.publish(routeTable);
      this.#streamListeners = new Map(routeTable.streams?.map((listener) => [listener.name, listener]));
    }
    if (tls !== undefined) this.#ownTls.replace(tls);
    if (certificates === undefined) return;
    this.#certificates.replace(certificates);
    for (const server of this.#secureServers) server.certificatesChanged();
  }

  async listen({ name, protocol, host, port }: EngineListen): Promise<EngineListener | ListenFailure> {
    const opened = protocol === "UDP" ? await this.#streams.udp(name, host, port) : await this.#listenTcp({ name, protocol, host, port });
    if (opened.kind === "failed") return opened;
    this.#listeners.add(opened);
    const close = async () => {
      this.#listeners.delete(opened);
      await opened.close();
      for (const [client, listener] of this.#clients) if (listener === name) client.drain();
    };
    return { kind: "ok", host: opened.host, port: opened.port, close };
  }

  async #listenTcp({ name, protocol, host, port }: EngineListen): Promise<EngineListener | ListenFailure> {
    let accept: (socket: StreamSocket) => void = (socket) => void socket.destroy();
    const listener = await listenTcp({ host, port, onConnection: (socket) => this.#admit(socket, accept) });
    if (listener.kind === "failed") return listener;
    if (protocol === "HTTPS" && !this.#ownTls.has(name)) this.#requests.securePort = listener.port;
    accept = this.#acceptor(name, protocol, listener.port);
    return listener;
  }

  /** Whoever listens otherwise than by `node:net` opens plain HTTP only: `node:tls` takes nothing else. */
  #acceptor(name: string, protocol: EngineListen["protocol"], port: number): (socket: StreamSocket) => void {
    switch (protocol) {
      case "HTTP":
        return this.#plain(name, port);
      case "HTTPS":
        return this.#secure(name, port);
      case "TLS":
        return this.#serverNamed(name, port);
      case "TCP":
        return (socket) => this.#streams.tcp(name, socket as Socket);
      case "UDP":
        return (socket) => void socket.destroy();
    }
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
    const serverFor = this.#ownTls.has(listener) ? this.#ownSecure(listener, port) : this.#sharedSecure(listener, port);
    return (socket) => acceptBy(serverFor(), socket as Socket);
  }

  #sharedSecure(listener: string, port: number): () => SecureServer {
    const server = this.#secureServer(listener, port, this.#certificates, {});
    this.#secureServers.push(server);
    return () => server;
  }

  /** A Gateway's: its own certificates, and maybe those of its clients are asked for. */
  #ownSecure(listener: string, port: number): () => SecureServer | undefined {
    return () =>
      this.#ownTls.server(listener, (store, { clients }) =>
        this.#secureServer(listener, port, store, {
          ...(clients === undefined ? {} : { clients }),
          ...(this.#streamListeners.has(listener) ? { raw: (serverName: string) => this.#terminated(listener, serverName) } : {}),
        }),
      );
  }

  #secureServer(
    listener: string,
    port: number,
    certificates: CertificateStore,
    more: Pick<SecureServerOptions, "clients" | "raw">,
  ): SecureServer {
    const infoOf = (socket: TLSSocket): Omit<ClientInfo, "httpVersion"> => {
      const { servername } = socket;
      const named = typeof servername === "string" && servername !== "" ? { serverName: servername.toLowerCase() } : {};
      return { address: socket.remoteAddress ?? "", scheme: "https", listener, port, ...named };
    };
    return createSecureServer({
      certificates,
      limits: this.#limits,
      onHttp1: (socket) => this.#http1(socket, infoOf(socket)),
      onSession: (session) => this.#follow(session),
      onStream: (arrived, socket) => this.#http2(arrived, infoOf(socket as TLSSocket)),
      ...more,
    });
  }

  /** TLS that ends here for a stream of this server name; undefined: it is HTTP's. */
  #terminated(listener: string, serverName: string): ((socket: TLSSocket) => void) | undefined {
    if (this.#streamSection(listener, serverName) === undefined) return undefined;
    return (socket) => {
      socket.pause();
      this.#streams.terminated(listener, socket, serverName);
    };
  }

  /** Of the sections of streams and of HTTPS on this port the most specific one has the server name. */
  #streamSection(listener: string, serverName: string): StreamSection | undefined {
    const stream = this.#streams.sectionFor(listener, serverName);
    const http = this.#requests.listener(listener);
    const other = stream === undefined || http === undefined ? undefined : sectionOf(http, serverName);
    return stream !== undefined && (other === undefined || compareHosts(stream.host, other.host) < 0) ? stream : undefined;
  }

  /** The server name in the ClientHello says whether TLS ends here. */
  #serverNamed(listener: string, port: number): (socket: StreamSocket) => void {
    const secure = this.#ownSecure(listener, port);
    return (raw) => {
      const socket = raw as Socket;
      sniffServerName(socket, this.#limits.headMs, this.#options.clock, (serverName = "") => {
        const section = this.#streamSection(listener, serverName);
        if (section?.tls === "passthrough") this.#streams.passThrough(listener, socket, serverName);
        else if (section === undefined && this.#requests.listener(listener) === undefined) socket.destroy();
        else acceptBy(secure(), socket);
      });
    };
  }

  /** HTTP/2 with prior knowledge on a plain port (RFC 9113 3.3): its preface has been read. */
  #plainSession(socket: Socket, seen: Buffer, info: Omit<ClientInfo, "httpVersion">): void {
    this.#plainHttp2 ??= createHttp2({
      limits: this.#limits,
      onSession: (session) => this.#follow(session),
      onStream: (arrived) => this.#http2(arrived, this.#plainInfos.get(arrived.stream.session as ServerHttp2Session) ?? info),
    });
    socket.pause();
    // In HTTP/2 an end of either side is the end of both.
    socket.allowHalfOpen = false;
    socket.unshift(seen);
    // `session.socket` is a stand-in for the socket: which session came of it is known only now, as it is made at once.
    this.#plainHttp2.once("session", (session) => void this.#plainInfos.set(session, info));
    this.#plainHttp2.emit("connection", socket);
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
      handle: (request, side) => this.#requests.handle(request, side),
      refused: (status, why) => this.#requests.refused(status, why),
      closed: () => {
        this.#clients.delete(client);
        this.#clientGone();
      },
      tunnelOpened: (...pair) => this.#tunnelOpened(pair),
      ...(info.scheme === "http" ? { http2: (seen: Buffer) => this.#plainSession(socket as Socket, seen, info) } : {}),
    });
    this.#clients.set(client, info.listener);
  }

  #http2(arrived: ArrivedStream, info: Omit<ClientInfo, "httpVersion">): void {
    new Http2Client({
      ...arrived,
      info,
      limits: this.#limits,
      now: () => this.#options.clock.monotonic(),
      handle: (request, side) => this.#requests.handle(request, side),
      refused: (status, why) => this.#requests.refused(status, why),
    }).start();
  }

  #tunnelOpened(pair: readonly [StreamSocket, StreamSocket]): () => void {
    this.#tunnels.add(pair);
    return () => this.#tunnels.delete(pair);
  }

  stats(): EngineStats {
    return { clients: this.#raw.size, tunnels: this.#tunnels.size, requests: this.#requests.count };
  }

  async stop(graceMs = 0): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
    this.#listeners.clear();
    for (const client of this.#clients.keys()) client.drain();
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

function acceptBy(server: SecureServer | undefined, socket: Socket): void {
  if (server === undefined) socket.destroy();
  else server.accept(socket);
}

function noticedAtClose(): void {
  // An error is always followed by `close`; without a listener it would end the process.
}
