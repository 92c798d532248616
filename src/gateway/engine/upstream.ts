/** Connections to endpoints, kept open between requests. One request at a time goes over each (HTTP/1.1 without pipelining). */
import { errnoCode } from "../../lib/errors.ts";
import type { BackendEndpoint, BackendProtocol, UpstreamTls } from "../../decide/routes/index.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { Roster, type Membership } from "../../lib/roster.ts";
import { encodeProxyHeader, type ProxyAddresses } from "../../net/proxy-protocol.ts";
import type { StreamSocket } from "../../net/stream-socket.ts";
import { PeakAverage } from "./balancing.ts";
import type { Carrier, ClientCertificate } from "./carrier.ts";
import { EndpointHealth } from "./endpoint-health.ts";
import { Http2Upstream } from "./http2-upstream.ts";
import type { Expiring, Sweeper } from "./sweeper.ts";
import { endpointId } from "./sticky.ts";

export type Connect = Carrier["connect"];

/** Who uses a connection now. */
export interface UpstreamUser {
  onData(bytes: Buffer): void;
  /** The endpoint has sent all it will. */
  onEnd(): void;
  /** The connection is gone; `code`: the errno, if it broke. */
  onClose(code: string | undefined): void;
  onDrain(): void;
  /** The deadline that the user set is over. */
  onTimeout(): void;
}

/** How an endpoint is spoken to. */
export interface Speech {
  readonly speaks: BackendProtocol;
  readonly tls?: UpstreamTls | undefined;
  readonly certificate?: ClientCertificate | undefined;
  /** Each connection begins with a PROXY header of this version, and so is one client's. */
  readonly proxyProtocol?: 1 | 2 | undefined;
}

const plainSpeech: Speech = { speaks: "http1" };

/** An address that some backend has now, and how it is spoken to there. */
export class Endpoint {
  readonly address: BackendEndpoint;
  readonly speech: Speech;
  /** Requests under way. */
  active = 0;
  /** Backends that have it; at 0 its connections are closed when they become idle. */
  references = 0;
  /** In the sweeper's time: not chosen before that if another can be. */
  avoidUntil = 0;
  readonly health = new EndpointHealth();
  readonly latency = new PeakAverage();
  readonly idle: UpstreamConnection[] = [];
  /** Over HTTP/2 all requests share one. */
  session: Promise<Http2Upstream> | undefined;
  /** That connection, once it is open. */
  open: Http2Upstream | undefined;
  /** The endpoint that this is a way to speak to; itself, unless `as` made it. */
  readonly place: Endpoint;
  #variants: Map<string, Endpoint> | undefined;
  #id: string | undefined;

  constructor(address: BackendEndpoint, speech: Speech = plainSpeech, place?: Endpoint) {
    this.address = address;
    this.speech = speech;
    this.place = place ?? this;
  }

  /** For sessions. */
  get id(): string {
    return (this.#id ??= endpointId(this.address));
  }

  get key(): string {
    const { speaks, tls, proxyProtocol = 0 } = this.speech;
    const { ip, port } = this.address;
    return speaks === "http1" && tls === undefined && proxyProtocol === 0
      ? `${ip} ${port}`
      : `${ip} ${port} ${speaks} ${proxyProtocol} ${tls === undefined ? "" : JSON.stringify(tls)}`;
  }

  /** The same place spoken to otherwise: connections that show another certificate are not shared. */
  as(speaks: BackendProtocol, certificate: ClientCertificate | undefined): Endpoint {
    const { tls, proxyProtocol } = this.speech;
    const shown = tls === undefined ? undefined : certificate;
    if (speaks === this.speech.speaks && shown === undefined) return this;
    const key = `${speaks} ${shown?.cert ?? ""}`;
    let variant = this.#variants?.get(key);
    if (variant === undefined) {
      variant = new Endpoint(this.address, { speaks, tls, certificate: shown, proxyProtocol }, this);
      (this.#variants ??= new Map()).set(key, variant);
    }
    variant.references = this.references;
    return variant;
  }

  /** No backend has it any more: what is idle goes, what is under way goes on. */
  drop(): void {
    for (const connection of [...this.idle]) connection.destroy();
    this.session?.then((session) => session.drain(), nobodyWaits);
    for (const variant of this.#variants?.values() ?? []) {
      variant.references = 0;
      variant.drop();
    }
  }
}

export interface PoolOptions {
  readonly carrier: Carrier;
  readonly sweeper: Sweeper;
  readonly connectMs: number;
  readonly maxIdle: number;
}

/** How long an idle connection is kept: less than the 5 s after which Node closes its side, the shortest common default. */
const idleMs = 4000;

export class UpstreamPool {
  readonly options: PoolOptions;
  readonly #connections = new Roster<UpstreamConnection>();
  readonly #sessions = new Set<Http2Upstream>();

  constructor(options: PoolOptions) {
    this.options = options;
  }

  /** The most recently used idle connection: the others may then grow old and go. */
  takeIdle(endpoint: Endpoint): UpstreamConnection | undefined {
    return endpoint.idle.pop();
  }

  /** `addresses`: of the client, for endpoints that want to know them. */
  async open(endpoint: Endpoint, addresses: ProxyAddresses | undefined): Promise<UpstreamConnection> {
    const socket = await this.connect(endpoint, addresses);
    return new UpstreamConnection(this, endpoint, socket);
  }

  /** A connection of its own, in the endpoint's TLS if it has one. */
  async connect({ address, speech }: Endpoint, addresses?: ProxyAddresses): Promise<StreamSocket> {
    const { carrier, connectMs } = this.options;
    const { speaks, tls, certificate, proxyProtocol } = speech;
    const socket = await carrier.connect(address, connectMs);
    if (proxyProtocol !== undefined && addresses !== undefined) socket.write(encodeProxyHeader(proxyProtocol, addresses));
    if (tls === undefined) return socket;
    return await carrier.tlsClient(socket, { tls, certificate, protocol: speaks === "h2c" ? "h2" : "http/1.1", timeoutMs: connectMs });
  }

  /** The connection that requests over HTTP/2 share; opened when there is none. */
  session(endpoint: Endpoint): Promise<Http2Upstream> {
    if (endpoint.session !== undefined) return endpoint.session;
    const opening = this.#openSession(endpoint, () => {
      if (endpoint.session === opening) endpoint.session = endpoint.open = undefined;
    });
    endpoint.session = opening;
    opening.then(
      (session) => endpoint.session === opening && (endpoint.open = session),
      () => endpoint.session === opening && (endpoint.session = undefined),
    );
    return opening;
  }

  async #openSession(endpoint: Endpoint, spent: () => void): Promise<Http2Upstream> {
    const socket = await this.connect(endpoint);
    const { carrier, sweeper } = this.options;
    socket.setNoDelay(true);
    const session: Http2Upstream = new Http2Upstream({
      socket,
      sweeper,
      now: () => carrier.clock.monotonic(),
      soon: (run) => carrier.soon(run),
      spent,
      closed: () => this.#sessions.delete(session),
    });
    this.#sessions.add(session);
    return session;
  }

  /** To be closed with the pool, until it is forgotten. */
  remember(connection: UpstreamConnection): Membership<UpstreamConnection> {
    return this.#connections.add(connection);
  }

  forget(membership: Membership<UpstreamConnection>): void {
    this.#connections.remove(membership);
  }

  close(): void {
    for (const connection of this.#connections) connection.destroy();
    for (const session of this.#sessions) session.destroy();
  }
}

function nobodyWaits(): void {
  // Whoever has a request under way hears of it through its stream.
}

export class UpstreamConnection implements Expiring {
  deadline = Number.POSITIVE_INFINITY;
  /** Has carried a request before: it may have been closed by the endpoint in the meantime. */
  reused = false;
  /** Of the last answer. */
  lastHead: ResponseHead | undefined;
  readonly endpoint: Endpoint;
  readonly #pool: UpstreamPool;
  readonly #inPool: Membership<UpstreamConnection>;
  readonly #swept: Membership<Expiring>;
  #socket: StreamSocket | undefined;
  #user: UpstreamUser | undefined;
  #errno: string | undefined;

  constructor(pool: UpstreamPool, endpoint: Endpoint, socket: StreamSocket) {
    this.#pool = pool;
    this.endpoint = endpoint;
    this.#socket = socket;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
    socket.on("drain", this.#onDrain);
    socket.setNoDelay(true);
    this.#inPool = pool.remember(this);
    this.#swept = pool.options.sweeper.add(this);
  }

  use(user: UpstreamUser): void {
    this.#user = user;
    this.deadline = Number.POSITIVE_INFINITY;
    this.#socket?.resume();
  }

  /** The deadline in `ms`; each call replaces the last. */
  limit(ms: number): void {
    this.deadline = this.#pool.options.sweeper.after(ms);
  }

  write(bytes: Buffer): boolean {
    return this.#socket?.write(bytes) ?? true;
  }

  writeText(text: string): boolean {
    return this.#socket?.write(text, "latin1") ?? true;
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** The answer is whole: the connection waits for the next request. */
  release(keepSeconds: number | undefined): void {
    this.#user = undefined;
    this.reused = true;
    const { maxIdle } = this.#pool.options;
    const keepMs = keepSeconds === undefined ? idleMs : Math.min(idleMs * 8, keepSeconds * 1000 - 1000);
    const { idle, references, speech } = this.endpoint;
    const ofOneClient = speech.proxyProtocol !== undefined;
    if (this.#socket === undefined || references === 0 || ofOneClient || idle.length >= maxIdle || keepMs <= 0) return this.destroy();
    // Not `after`: here early is right and late is wrong.
    this.deadline = this.#pool.options.sweeper.after(keepMs) - 2000;
    idle.push(this);
    this.#socket.resume();
  }

  /** Gives the socket away (an upgrade); nothing of it is left here. */
  detach(): StreamSocket {
    const socket = this.#socket as StreamSocket;
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("error", this.#onError);
    socket.off("close", this.#onClose);
    socket.off("drain", this.#onDrain);
    this.#gone();
    return socket;
  }

  destroy(): void {
    const socket = this.#socket;
    this.#user = undefined;
    this.#gone();
    socket?.destroy();
  }

  expire(): void {
    if (this.#user === undefined) this.destroy();
    else this.#user.onTimeout();
  }

  #gone(): void {
    this.#socket = undefined;
    this.#pool.options.sweeper.remove(this.#swept);
    this.#pool.forget(this.#inPool);
    const at = this.endpoint.idle.indexOf(this);
    if (at >= 0) this.endpoint.idle.splice(at, 1);
  }

  readonly #onData = (bytes: Buffer) => {
    // Bytes that nobody asked for cannot be the answer to the next request: whoever got them would get another's.
    if (this.#user === undefined) this.destroy();
    else this.#user.onData(bytes);
  };

  readonly #onEnd = () => {
    if (this.#user === undefined) this.destroy();
    else this.#user.onEnd();
  };

  readonly #onError = (error: Error) => {
    this.#errno = errnoCode(error) ?? "EIO";
  };

  readonly #onClose = () => {
    const user = this.#user;
    this.#user = undefined;
    this.#gone();
    user?.onClose(this.#errno);
  };

  readonly #onDrain = () => this.#user?.onDrain();
}
