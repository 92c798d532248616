/**
 * The forward proxy of loopback mode: one port that speaks HTTP (absolute form, CONNECT) and SOCKS5, told apart by the first
 * byte. Pods have it in HTTP_PROXY and ALL_PROXY, with credentials that name them: so a name is looked up with the search path of
 * the pod's namespace, and the other side sees the pod's address. Whoever has no credentials is refused.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock, Timer } from "../../lib/clock.ts";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import { joinHostPort } from "../../lib/ip.ts";
import { listenTcp, type TcpListener } from "../listener.ts";
import type { Identify } from "./credentials.ts";
import { createHttpProxy } from "./http.ts";
import { serveSocks } from "./socks5.ts";
import type { TargetOptions } from "./target.ts";

export type { ClientPod, ConnectFailure } from "./target.ts";

export interface ForwardProxyLimits {
  /** Clients at once; beyond it new ones are reset. Default 4096. */
  readonly maxConnections?: number;
  /** For credentials and target to arrive, in ms. Default 10,000. */
  readonly handshakeMs?: number;
}

export interface ForwardProxyOptions extends TargetOptions {
  /** Port 0: the kernel chooses. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly identify: Identify;
  readonly clock: Clock;
  readonly limits?: ForwardProxyLimits;
}

/** A `Component`, by shape. */
export interface ForwardProxy {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  ready(): { readonly ready: true } | { readonly ready: false; readonly reason: string };
  /** `host:port`, once started. */
  readonly address: string;
}

/** `start` throws FL_LISTEN when the address cannot be bound. */
export function createForwardProxy(options: ForwardProxyOptions): ForwardProxy {
  return new PodForwardProxy(options);
}

class PodForwardProxy implements ForwardProxy {
  readonly name = "forward-proxy";
  readonly #options: ForwardProxyOptions;
  readonly #limits: Required<ForwardProxyLimits>;
  /** Clients, and what ends those that say nothing. */
  readonly #open = new Map<Duplex, Timer>();
  #listener: TcpListener | undefined;
  #http: Server | undefined;

  constructor(options: ForwardProxyOptions) {
    this.#options = { ...options, log: options.log.child("forward-proxy") };
    this.#limits = { maxConnections: 4096, handshakeMs: 10_000, ...options.limits };
  }

  get address(): string {
    if (this.#listener === undefined) throw new FairleadError("FL_INTERNAL", "the forward proxy has not been started");
    return joinHostPort(this.#listener.host, this.#listener.port);
  }

  async start(): Promise<void> {
    const { listen } = this.#options;
    this.#http = createHttpProxy({ ...this.#options, greeted: (socket) => this.#open.get(socket)?.cancel() });
    const listener = await listenTcp({ ...listen, onConnection: (socket) => this.#accept(socket) });
    if (listener.kind === "failed")
      throw new FairleadError(
        "FL_LISTEN",
        `the forward proxy cannot listen on ${joinHostPort(listen.host, listen.port)}: ${listener.message}`,
      );
    this.#listener = listener;
  }

  async stop(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    await listener?.close();
    for (const socket of this.#open.keys()) socket.destroy();
  }

  ready(): { readonly ready: true } | { readonly ready: false; readonly reason: string } {
    return this.#listener === undefined ? { ready: false, reason: "the forward proxy does not listen" } : { ready: true };
  }

  #accept(socket: Socket): void {
    socket.on("error", closeFollows);
    if (this.#open.size >= this.#limits.maxConnections) return void socket.resetAndDestroy();
    const slow = this.#options.clock.after(this.#limits.handshakeMs, () => socket.destroy());
    this.#open.set(socket, slow);
    socket.once("close", () => {
      slow.cancel();
      this.#open.delete(socket);
    });
    socket.once("readable", () => {
      const first = socket.read(1) as Buffer | null;
      if (first === null) return void socket.destroy();
      socket.unshift(first);
      if (first[0] === 5) this.#serveSocks(socket, slow);
      else this.#serveHttp(socket);
    });
  }

  #serveHttp(socket: Socket): void {
    this.#http?.emit("connection", socket);
    socket.resume();
  }

  #serveSocks(socket: Socket, slow: Timer): void {
    serveSocks(socket, this.#options)
      .catch((error: unknown) => {
        this.#options.log.error("a SOCKS client could not be served", { error: errorMessage(error) });
        socket.destroy();
      })
      .finally(() => slow.cancel());
  }
}

function closeFollows(): void {
  // A client that breaks off: `close` is what everything here waits for.
}
