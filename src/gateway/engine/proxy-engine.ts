/** The engine, on whatever carries its bytes. */
import type { StreamListener } from "../../decide/routes/index.ts";
import type { StreamSocket } from "../../net/stream-socket.ts";
import { Backends, type ChooseEndpoint } from "./backends.ts";
import type { Carrier } from "./carrier.ts";
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
import { Front } from "./front.ts";
import { OwnTls } from "./own-tls.ts";
import { Requests, type RequestsOptions } from "./requests.ts";
import { Streams } from "./streams.ts";
import { Sweeper } from "./sweeper.ts";
import { UpstreamPool } from "./upstream.ts";

export interface ProxyEngineOptions {
  readonly random: () => number;
  readonly limits?: Partial<EngineLimits>;
  readonly onRequest?: RequestsOptions["onRequest"];
  /** Details in records, for logs and traces. */
  readonly observe?: RequestsOptions["observe"] | undefined;
  /** Which endpoint a request goes to, for whoever knows better than the backends' policies. */
  readonly choose?: ChooseEndpoint | undefined;
}

export function createProxyEngine(carrier: Carrier, options: ProxyEngineOptions): Engine {
  return new ProxyEngine(carrier, options);
}

class ProxyEngine implements Engine {
  readonly #carrier: Carrier;
  readonly #sweeper: Sweeper;
  readonly #pool: UpstreamPool;
  readonly #backends: Backends;
  readonly #ownTls = new OwnTls();
  readonly #requests: Requests;
  readonly #streams: Streams;
  readonly #front: Front;
  readonly #listeners = new Set<EngineListener>();
  readonly #tunnels = new Set<readonly [StreamSocket, StreamSocket]>();
  #streamListeners: ReadonlyMap<string, StreamListener> = new Map();

  constructor(carrier: Carrier, { random, onRequest, observe, choose, ...options }: ProxyEngineOptions) {
    const limits = { ...defaultLimits, ...options.limits };
    const { clock } = carrier;
    this.#carrier = carrier;
    this.#sweeper = new Sweeper(clock);
    this.#backends = new Backends({ random, now: () => clock.monotonic(), choose });
    const [sweeper, backends, ownTls] = [this.#sweeper, this.#backends, this.#ownTls];
    this.#pool = new UpstreamPool({ carrier, sweeper, connectMs: limits.connectMs, maxIdle: limits.idleUpstreams });
    const pool = this.#pool;
    const toBackends = (listener: string) => ownTls.toBackends(listener);
    this.#requests = new Requests({ backends, pool, sweeper, clock, random, limits, toBackends, onRequest, observe });
    const opened = (pair: readonly [StreamSocket, StreamSocket]) => this.#tunnelOpened(pair);
    this.#streams = new Streams({
      backends,
      pool,
      sweeper,
      carrier,
      limits,
      listener: (name) => this.#streamListeners.get(name),
      addresses: (name, socket) => this.#front.addresses(name, socket),
      opened,
    });
    this.#front = new Front({
      carrier,
      limits,
      sweeper,
      requests: this.#requests,
      streams: this.#streams,
      ownTls,
      tunnelOpened: (...pair) => opened(pair),
    });
  }

  publish({ routeTable, backends, certificates, tls, users }: EngineChange): void {
    for (const [key, backend] of backends ?? []) this.#backends.set(key, backend);
    if (routeTable !== undefined) {
      this.#requests.publish(routeTable);
      this.#streamListeners = new Map(routeTable.streams?.map((listener) => [listener.name, listener]));
    }
    if (users !== undefined) this.#requests.setUsers(users);
    if (tls !== undefined) this.#ownTls.replace(tls);
    if (certificates !== undefined) this.#front.setCertificates(certificates);
  }

  async listen(options: EngineListen): Promise<EngineListener | ListenFailure> {
    const { name, protocol, host, port } = options;
    const opened = protocol === "UDP" ? await this.#streams.udp(name, host, port) : await this.#listenTcp(options);
    if (opened.kind === "failed") return opened;
    const listener: EngineListener = {
      kind: "ok",
      host: opened.host,
      port: opened.port,
      close: async () => {
        this.#listeners.delete(listener);
        await opened.close();
        this.#front.drain(name);
      },
    };
    this.#listeners.add(listener);
    return listener;
  }

  async #listenTcp(options: EngineListen): Promise<EngineListener | ListenFailure> {
    let accept: (socket: StreamSocket) => void = (socket) => void socket.destroy();
    const { name, protocol, secure, host, port } = options;
    const listener = await this.#carrier.listen({ host, port, onConnection: (socket) => this.#front.admit(socket, accept) });
    if (listener.kind === "failed") return listener;
    const isShared = secure !== undefined || (protocol === "HTTPS" && !this.#ownTls.has(name));
    if (isShared) this.#requests.securePort = listener.port;
    accept = this.#front.acceptor(options, listener);
    return listener;
  }

  #tunnelOpened(pair: readonly [StreamSocket, StreamSocket]): () => void {
    this.#tunnels.add(pair);
    return () => this.#tunnels.delete(pair);
  }

  async settled(): Promise<void> {
    // What is published is there at once.
  }

  stats(): EngineStats {
    return { clients: this.#front.size, tunnels: this.#tunnels.size, requests: this.#requests.count };
  }

  async stop(graceMs = 0): Promise<void> {
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
    await this.#front.close(graceMs);
    for (const pair of this.#tunnels) for (const socket of pair) socket.destroy();
    this.#pool.close();
    this.#sweeper.stop();
  }
}
