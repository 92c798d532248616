/**
 * Listeners below HTTP: TCP and UDP as they come, TLS by its server name, ended here or passed through. A connection keeps the
 * endpoint that it has, whatever is published afterwards.
 */
import { suffixPatterns, type BackendRef, type StreamListener, type StreamRoute, type StreamSection } from "../../decide/routes/index.ts";
import type { ProxyAddresses } from "../../net/proxy-protocol.ts";
import { relay } from "../../net/relay.ts";
import type { StreamSocket } from "../../net/stream-socket.ts";
import { UdpRelay, type Sender } from "../../net/udp-relay.ts";
import type { Backends } from "./backends.ts";
import { connectionAsking } from "./balancing.ts";
import type { Carrier, CarrierDatagrams } from "./carrier.ts";
import { readClientHello } from "./client-hello.ts";
import type { EngineLimits, EngineListener, ListenFailure } from "./engine.ts";
import type { Peeked } from "./peek.ts";
import type { Sweeper } from "./sweeper.ts";
import type { Endpoint, UpstreamPool } from "./upstream.ts";

export interface StreamsOptions {
  readonly backends: Backends;
  readonly pool: UpstreamPool;
  readonly sweeper: Sweeper;
  readonly carrier: Carrier;
  readonly limits: EngineLimits;
  /** Of a listener's name; undefined: it is not published (yet). */
  readonly listener: (name: string) => StreamListener | undefined;
  /** Whom a connection of a listener speaks for. */
  readonly addresses: (listener: string, socket: StreamSocket) => ProxyAddresses;
  readonly opened: (pair: readonly [StreamSocket, StreamSocket]) => () => void;
}

const maxTries = 3;
const avoidMs = 2000;
const udpIdleMs = 60_000;

export class Streams {
  readonly #options: StreamsOptions;

  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  /** A connection of a TCP listener: paused, nothing read. */
  tcp(name: string, socket: StreamSocket): void {
    const route = this.#options.listener(name)?.sections[0]?.routes[0];
    void this.#join(name, socket, route);
  }

  /** Out of its TLS already. */
  terminated(name: string, socket: StreamSocket, serverName: string): void {
    const found = this.#find(name, serverName);
    void this.#join(name, socket, found?.route);
  }

  /** What the section of a server name wants done: `undefined`: no section has it. */
  sectionFor(name: string, serverName: string): StreamSection | undefined {
    return mostSpecific(this.#options.listener(name)?.sections ?? [], serverName);
  }

  passThrough(name: string, socket: StreamSocket, serverName: string): void {
    void this.#join(name, socket, this.#find(name, serverName)?.route);
  }

  #find(name: string, serverName: string): { readonly route: StreamRoute | undefined } | undefined {
    const section = this.sectionFor(name, serverName);
    return section === undefined ? undefined : { route: mostSpecific(section.routes, serverName) };
  }

  async #join(name: string, socket: StreamSocket, route: StreamRoute | undefined): Promise<void> {
    socket.on("error", noticedAtClose);
    const backend = route === undefined ? undefined : this.#options.backends.chooseBackend(route.backends);
    if (backend === undefined || backend.refused !== undefined) return void socket.destroy();
    const upstream = await this.#connect(backend, this.#options.addresses(name, socket));
    if (upstream === undefined || socket.destroyed) return void (socket.destroy(), upstream?.destroy());
    const closed = this.#options.opened([socket, upstream]);
    relay(socket, upstream, { onClose: closed });
  }

  async #connect(backend: BackendRef, addresses: ProxyAddresses): Promise<StreamSocket | undefined> {
    const { backends, sweeper, pool } = this.#options;
    const tried = new Set<Endpoint>();
    const request = connectionAsking(addresses.source.address);
    for (let tries = 0; tries < maxTries; tries++) {
      const choice = backends.choose(backend, sweeper.after(0), { request, tried });
      if (choice.kind === "none") return undefined;
      try {
        return await pool.connect(choice.endpoint, addresses);
      } catch {
        choice.endpoint.avoidUntil = sweeper.after(avoidMs);
        tried.add(choice.endpoint);
      }
    }
    return undefined;
  }

  async udp(name: string, host: string, port: number): Promise<EngineListener | ListenFailure> {
    let passOn: (message: Buffer, from: Sender) => void = () => {};
    const listener = await this.#options.carrier.bindUdp({ host, port, onMessage: (message, from) => passOn(message, from) });
    if (listener.kind === "failed") return listener;
    const relays = this.#relay(name, listener);
    passOn = (message, from) => relays.receive(message, from);
    return {
      kind: "ok",
      host: listener.host,
      port: listener.port,
      close: async () => {
        relays.close();
        await listener.close();
      },
    };
  }

  #relay(name: string, { socket }: CarrierDatagrams): UdpRelay {
    const { carrier, backends, sweeper } = this.#options;
    return new UdpRelay({
      listener: socket,
      clock: carrier.clock,
      idleMs: udpIdleMs,
      choose: (from) => {
        const backend = backends.chooseBackend(this.#options.listener(name)?.sections[0]?.routes[0]?.backends ?? []);
        if (backend === undefined || backend.refused !== undefined) return undefined;
        const choice = backends.choose(backend, sweeper.after(0), { request: connectionAsking(from) });
        if (choice.kind === "none") return undefined;
        return carrier.udpTarget(choice.endpoint.address);
      },
    });
  }
}

function mostSpecific<T extends { readonly host: string }>(all: readonly T[], host: string): T | undefined {
  const exact = all.find((each) => each.host === host);
  if (exact !== undefined) return exact;
  for (const pattern of suffixPatterns(host)) {
    const found = all.find((each) => each.host === pattern);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The server name of a connection whose ClientHello is whole. */
export function lookForServerName(bytes: Buffer): Peeked<string | undefined> {
  const hello = readClientHello(bytes);
  if (hello.kind === "incomplete") return { kind: "short" };
  return hello.kind === "malformed" ? hello : { kind: "ok", value: hello.serverName, used: 0 };
}

function noticedAtClose(): void {
  // `close` follows.
}
