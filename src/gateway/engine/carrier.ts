/**
 * What carries the engine's bytes: sockets, datagrams, TLS and time, either Node's (`node-carrier.ts`) or those of our own event loop.
 * The engine knows nothing else of either, so that everything it does it does on both.
 */
import type { BackendEndpoint, UpstreamTls } from "../../decide/routes/index.ts";
import type { Clock } from "../../lib/clock.ts";
import type { BindFailure } from "../../net/listener.ts";
import type { StreamSocket } from "../../net/stream-socket.ts";
import type { Sender, UdpTarget } from "../../net/udp-relay.ts";
import type { ListenerTls } from "./engine.ts";
import type { CertificateStore } from "./certificate-store.ts";

export interface Carrier {
  readonly clock: Clock;
  /** Runs it when the events of this turn of the loop have been dealt with. */
  soon(run: () => void): void;
  listen(options: CarrierListen): Promise<CarrierListener | BindFailure>;
  bindUdp(options: CarrierBind): Promise<CarrierDatagrams | BindFailure>;
  /** A connected socket, half-open allowed, not yet read. Rejects with the system's error. */
  connect(endpoint: BackendEndpoint, timeoutMs: number): Promise<StreamSocket>;
  /** How datagrams reach an endpoint. */
  udpTarget(endpoint: BackendEndpoint): UdpTarget;
  tlsServer(options: TlsServerOptions): TlsServer;
  /** The handshake over a connected socket. Rejects with OpenSSL's error, or ETIMEDOUT; the socket is then destroyed. */
  tlsClient(socket: StreamSocket, options: TlsClientOptions): Promise<StreamSocket>;
}

interface Address {
  readonly host: string;
  /** 0: the kernel chooses. */
  readonly port: number;
}

export interface CarrierListen extends Address {
  /** Gets a paused socket. */
  readonly onConnection: (socket: StreamSocket) => void;
}

export interface CarrierListener extends Address {
  readonly kind: "ok";
  close(): Promise<void>;
}

export interface CarrierBind extends Address {
  readonly onMessage: (message: Buffer, from: Sender) => void;
}

export interface CarrierDatagrams extends CarrierListener {
  readonly socket: { send(message: Buffer, port: number, address: string): void };
}

/** What a client asked for in its handshake. */
export interface Secured {
  /** Lower case; "": none. */
  readonly serverName: string;
  /** By ALPN. */
  readonly protocol: string | undefined;
}

export interface TlsServerOptions {
  readonly certificates: CertificateStore;
  /** Certificates of clients; absent: none is asked for. */
  readonly clients?: ListenerTls["clients"];
  readonly handshakeMs: number;
  /** One of the protocols that a client offers; undefined: none of them is spoken. */
  readonly pickProtocol: (serverName: string, offered: readonly string[]) => string | undefined;
  /** Gets a paused socket. */
  readonly onSecured: (socket: StreamSocket, secured: Secured) => void;
}

export interface TlsServer {
  /** Takes a connection before its handshake. One that cannot be secured is destroyed. */
  accept(socket: StreamSocket): void;
  /** The store holds others now. */
  certificatesChanged(): void;
}

export interface ClientCertificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface TlsClientOptions {
  readonly tls: UpstreamTls;
  /** What the gateway shows. */
  readonly certificate: ClientCertificate | undefined;
  readonly protocol: "h2" | "http/1.1";
  readonly timeoutMs: number;
}
