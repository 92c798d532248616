/**
 * What moves requests: listens, reads, routes by a table that it is given, forwards, answers. Behind one interface, so that
 * another engine (on epoll through FFI, in workers) can take its place and pass the same cases. Everything that is published
 * is plain data that can cross a thread.
 */
import type { Backend, RouteTable } from "../../decide/routes/index.ts";

export interface Engine {
  /**
   * Takes effect as a whole for every request whose head is read afterwards. Requests under way, upgraded connections and
   * downloads go on as they began.
   */
  publish(change: EngineChange): void;
  /** Opens a listener of the table. What cannot be bound is a value. */
  listen(options: EngineListen): Promise<EngineListener | ListenFailure>;
  /** Requests that come from now on see what was published. */
  settled(): Promise<void>;
  stats(): EngineStats;
  /** Stops listening, lets requests end for `graceMs`, then closes everything. */
  stop(graceMs?: number): Promise<void>;
}

export interface EngineChange {
  readonly routeTable?: RouteTable;
  /** By `backendKey`; only those that changed, null for those that are gone. */
  readonly backends?: ReadonlyMap<string, Backend | null>;
  /** Of every listener over TLS that has none of its own. */
  readonly certificates?: readonly ServedCertificate[];
  /** By the listener's name: those of Gateways, each of which has its own. All of them, every time. */
  readonly tls?: ReadonlyMap<string, ListenerTls>;
  /** Of HTTP Basic, by `usersKey`: names and passwords as htpasswd writes them. All of them, every time. */
  readonly users?: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

export interface ListenerTls {
  /** A wildcard stands for any number of labels. */
  readonly certificates: readonly ServedCertificate[];
  /** PEM bundle against which certificates of clients are checked; absent: none is asked for. */
  readonly clients?: { readonly ca: string; /** Others are served too. */ readonly insecureFallback: boolean };
  /** What the gateway shows to endpoints over TLS. */
  readonly toBackends?: { readonly cert: string; readonly key: string };
}

export interface ServedCertificate {
  /** As in `CertificateRef`. */
  readonly host: string;
  /** PEM: the chain, its own certificate first, and the key. */
  readonly cert: string;
  readonly key: string;
}

export interface EngineListen {
  /** A listener's name in the table. */
  readonly name: string;
  /** `TLS`: what the server name says, an HTTPS listener or a stream of the same name. */
  readonly protocol: "HTTP" | "HTTPS" | "TLS" | "TCP" | "UDP";
  readonly host: string;
  /** 0: the kernel chooses. */
  readonly port: number;
  /** Of `HTTP`: the listener that connections which begin with a TLS handshake belong to, on the same port. */
  readonly secure?: string;
  /** Ranges of load balancers whose connections begin with a PROXY header; absent: none. */
  readonly proxyProtocol?: readonly string[];
}

export interface EngineListener {
  readonly kind: "ok";
  readonly host: string;
  readonly port: number;
  /** Takes no more connections; what is under way on those that there are is answered, tunnels go on. */
  close(): Promise<void>;
}

export interface ListenFailure {
  readonly kind: "failed";
  readonly code: string;
  readonly message: string;
}

export interface EngineStats {
  readonly clients: number;
  /** Upgraded connections: WebSockets. */
  readonly tunnels: number;
  readonly requests: number;
}

export interface EngineLimits {
  /** Connections of clients at once; more are closed at once. */
  readonly connections: number;
  /** From a head's first byte to its last. */
  readonly headMs: number;
  /** Between requests on one connection. */
  readonly idleMs: number;
  /** Without a byte of a body, either way. */
  readonly bodyMs: number;
  /** For a TCP connection to an endpoint. */
  readonly connectMs: number;
  /** From the request's end to the answer's head. */
  readonly responseMs: number;
  /** Of a request; more is answered with 413. */
  readonly bodyBytes: number;
  /** Streams of one HTTP/2 connection. */
  readonly streams: number;
  /** Idle connections kept for each endpoint. */
  readonly idleUpstreams: number;
  /** Ranges of proxies whose `X-Forwarded-For` and `Forwarded` are believed. */
  readonly trustedProxies: readonly string[];
}

export const defaultLimits: EngineLimits = {
  connections: 10_000,
  headMs: 15_000,
  idleMs: 65_000,
  bodyMs: 60_000,
  connectMs: 5_000,
  responseMs: 60_000,
  bodyBytes: Number.MAX_SAFE_INTEGER,
  streams: 128,
  idleUpstreams: 256,
  trustedProxies: [],
};
