/** Connections of clients: how each is taken in (plain, TLS, by server name), what it speaks, and its end. */
import { compareHosts, sectionOf, type Listener, type StreamSection } from "../../decide/routes/index.ts";
import { Roster, type Membership } from "../../lib/roster.ts";
import type { ProxyAddresses } from "../../net/proxy-protocol.ts";
import type { StreamSocket } from "../../net/stream-socket.ts";
import { defaultHeadLimits } from "../http1/request-head.ts";
import type { Carrier, Secured, TlsServer } from "./carrier.ts";
import { CertificateStore } from "./certificate-store.ts";
import type { ClientInfo } from "./client-side.ts";
import type { EngineLimits, EngineListen, ListenerTls, ServedCertificate } from "./engine.ts";
import { Http1Client } from "./http1-client.ts";
import { Http2Client } from "./http2-client.ts";
import { OwnTls } from "./own-tls.ts";
import type { Requests } from "./requests.ts";
import { lookForTls, peek } from "./peek.ts";
import { ProxiedPeers, type Place } from "./proxied-peers.ts";
import { lookForServerName, type Streams } from "./streams.ts";
import type { Sweeper } from "./sweeper.ts";

export interface FrontOptions {
  readonly carrier: Carrier;
  readonly limits: EngineLimits;
  readonly sweeper: Sweeper;
  readonly requests: Requests;
  readonly streams: Streams;
  readonly ownTls: OwnTls;
  readonly tunnelOpened: (client: StreamSocket, upstream: StreamSocket) => () => void;
}

type Client = Http1Client | Http2Client;
type Info = Omit<ClientInfo, "httpVersion">;
type Accept = (socket: StreamSocket) => void;

export class Front {
  readonly #options: FrontOptions;
  readonly #certificates = new CertificateStore();
  /** Of listeners whose certificates are everyone's. */
  readonly #sharedTls: TlsServer[] = [];
  readonly #clients = new Roster<Client>();
  readonly #sockets = new Roster<StreamSocket>();
  readonly #peers = new ProxiedPeers();
  /** Where each listener is. */
  readonly #places = new Map<string, Place>();
  #closing = false;
  #whenDrained = () => {};

  constructor(options: FrontOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sockets.size;
  }

  setCertificates(certificates: readonly ServedCertificate[]): void {
    this.#certificates.replace(certificates);
    for (const server of this.#sharedTls) server.certificatesChanged();
  }

  /** What takes the connections of a listener that is open at `place`. */
  acceptor({ name, protocol, secure, proxyProtocol }: EngineListen, place: Place): Accept {
    this.#places.set(name, place);
    if (secure !== undefined) this.#places.set(secure, place);
    const own = this.#byProtocol(name, protocol, place.port);
    const accept = secure === undefined ? own : this.#byFirstByte(own, this.#secure(secure, place.port));
    if (proxyProtocol === undefined) return accept;
    return (socket) => this.#peers.read(socket, proxyProtocol, this.#peekLimits, () => accept(socket));
  }

  get #peekLimits() {
    return { timeoutMs: this.#options.limits.headMs, clock: this.#options.carrier.clock };
  }

  #byFirstByte(plain: Accept, tls: Accept): Accept {
    return (socket) => {
      const done = (found: "plain" | "tls") => (found === "tls" ? tls(socket) : plain(socket));
      peek(socket, { ...this.#peekLimits, look: lookForTls, done });
    };
  }

  /** Whom a connection speaks for. */
  addresses(listener: string, socket: StreamSocket): ProxyAddresses {
    return this.#peers.addresses(socket, this.#places.get(listener) ?? { host: "", port: 0 });
  }

  #info(listener: string, socket: StreamSocket, port: number): Omit<Info, "scheme"> {
    const connection = this.addresses(listener, socket);
    return { address: connection.source.address, listener, port, connection };
  }

  #byProtocol(name: string, protocol: EngineListen["protocol"], port: number): Accept {
    switch (protocol) {
      case "HTTP":
        return (socket) => this.#http1(socket, { ...this.#info(name, socket, port), scheme: "http" });
      case "HTTPS":
        return this.#secure(name, port);
      case "TLS":
        return this.#serverNamed(name, port);
      case "TCP":
        return (socket) => this.#options.streams.tcp(name, socket);
      case "UDP":
        return (socket) => void socket.destroy();
    }
  }

  admit(socket: StreamSocket, accept: Accept): void {
    socket.on("error", noticedAtClose);
    if (this.#sockets.size >= this.#options.limits.connections || this.#closing) return void socket.destroy();
    const membership = this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.remove(membership));
    accept(socket);
  }

  #secure(listener: string, port: number): Accept {
    if (this.#options.ownTls.has(listener)) {
      const serverFor = this.#ownServer(listener, port);
      return (socket) => acceptBy(serverFor(), socket);
    }
    const server = this.#tlsServer(listener, port, this.#certificates, undefined);
    this.#sharedTls.push(server);
    return (socket) => server.accept(socket);
  }

  /** A Gateway's: its own certificates, and maybe those of its clients are asked for. */
  #ownServer(listener: string, port: number): () => TlsServer | undefined {
    return () => this.#options.ownTls.server(listener, (store, { clients }) => this.#tlsServer(listener, port, store, clients));
  }

  #tlsServer(listener: string, port: number, certificates: CertificateStore, clients: ListenerTls["clients"]): TlsServer {
    return this.#options.carrier.tlsServer({
      certificates,
      ...(clients === undefined ? {} : { clients }),
      handshakeMs: this.#options.limits.headMs,
      // What goes on below HTTP is the client's and the endpoint's affair: its first wish is granted.
      pickProtocol: (serverName, offered) =>
        this.#streamSection(listener, serverName) === undefined ? httpProtocols.find((each) => offered.includes(each)) : offered[0],
      onSecured: (socket, secured) => this.#secured(socket, secured, listener, port),
    });
  }

  #secured(socket: StreamSocket, { serverName, protocol }: Secured, listener: string, port: number): void {
    if (this.#streamSection(listener, serverName) !== undefined) return this.#options.streams.terminated(listener, socket, serverName);
    const named = serverName === "" ? {} : { serverName };
    const info: Info = { ...this.#info(listener, socket, port), scheme: "https", ...named };
    if (protocol === "h2") this.#http2(socket, info);
    else this.#http1(socket, info);
  }

  /** Of the sections of streams and of HTTPS on this port the most specific one has the server name. */
  #streamSection(listener: string, serverName: string): StreamSection | undefined {
    const stream = this.#options.streams.sectionFor(listener, serverName);
    const http: Listener | undefined = this.#options.requests.listener(listener);
    const other = stream === undefined || http === undefined ? undefined : sectionOf(http, serverName);
    return stream !== undefined && (other === undefined || compareHosts(stream.host, other.host) < 0) ? stream : undefined;
  }

  /** The server name in the ClientHello says whether TLS ends here. */
  #serverNamed(listener: string, port: number): Accept {
    const { streams, requests } = this.#options;
    const serverFor = this.#ownServer(listener, port);
    return (socket) => {
      const done = (serverName = "") => {
        const section = this.#streamSection(listener, serverName);
        if (section?.tls === "passthrough") streams.passThrough(listener, socket, serverName);
        else if (section === undefined && requests.listener(listener) === undefined) socket.destroy();
        else acceptBy(serverFor(), socket);
      };
      peek(socket, { ...this.#peekLimits, look: lookForServerName, done });
    };
  }

  #http1(socket: StreamSocket, info: Info): void {
    const { requests, tunnelOpened } = this.#options;
    const client = new Http1Client({
      ...this.#clientOptions(socket, info, () => this.#gone(membership)),
      headLimits: defaultHeadLimits,
      handle: (request, side) => requests.handle(request, side),
      tunnelOpened,
      // With prior knowledge on a plain port (RFC 9113 3.3): its preface has been read.
      ...(info.scheme === "http" ? { http2: (seen: Buffer) => this.#http2(socket, info).read(seen) } : {}),
    });
    const membership: Membership<Client> = this.#clients.add(client);
  }

  #http2(socket: StreamSocket, info: Info): Http2Client {
    const { requests, carrier } = this.#options;
    const client = new Http2Client({
      ...this.#clientOptions(socket, info, () => this.#gone(membership)),
      soon: (run) => carrier.soon(run),
      handle: (request, side) => requests.handle(request, side),
    });
    const membership: Membership<Client> = this.#clients.add(client);
    return client;
  }

  #clientOptions(socket: StreamSocket, info: Info, closed: () => void) {
    const { limits, sweeper, carrier, requests } = this.#options;
    const now = () => carrier.clock.monotonic();
    return { socket, info, limits, sweeper, now, closed, refused: (status: number, why: string) => requests.refused(status, why) };
  }

  #gone(membership: Membership<Client>): void {
    this.#clients.remove(membership);
    if (this.#clients.size === 0) this.#whenDrained();
  }

  /** Clients of the listener get no further request answered. */
  drain(listener: string): void {
    for (const client of this.#clients) if (client.listener === listener) client.drain();
  }

  /** Lets requests end for `graceMs`, then closes everything. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    for (const client of this.#clients) client.drain();
    if (graceMs > 0 && this.#clients.size > 0) await this.#drained(graceMs);
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Resolves when every client has gone, or the time is over. */
  #drained(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.carrier.clock.after(graceMs, resolve);
      this.#whenDrained = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}

const httpProtocols = ["h2", "http/1.1"];

function acceptBy(server: TlsServer | undefined, socket: StreamSocket): void {
  if (server === undefined) socket.destroy();
  else server.accept(socket);
}

function noticedAtClose(): void {
  // An error is always followed by `close`; without a listener it would end the process.
}
