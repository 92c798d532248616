/** TLS for a thread that runs an event loop of ours, by the OpenSSL that Node exports. */
import { loadOpenssl, type ContextOptions, type HandshakeHooks, type TlsContext } from "../../host/syscalls/openssl.ts";
import type { StreamSocket } from "../stream-socket.ts";
import type { EventLoop } from "./event-loop.ts";
import { TlsSocket } from "./tls-socket.ts";

export type { ContextOptions, HandshakeHooks, TlsContext, TlsSocket };

export interface EpollTls {
  /** Throws what OpenSSL says of a certificate or key that it cannot use. */
  newContext(role: "server" | "client", options: ContextOptions): TlsContext;
  /** Connections that have it keep it. */
  freeContext(context: TlsContext): void;
  /** Calls back once: a paused socket, or undefined. `below` belongs to it. */
  accept(below: StreamSocket, options: AcceptOptions, done: (socket: TlsSocket | undefined) => void): void;
  connect(below: StreamSocket, options: ConnectOptions, done: (socket: TlsSocket | undefined) => void): void;
}

export interface AcceptOptions {
  readonly context: TlsContext;
  readonly hooks: HandshakeHooks;
  readonly timeoutMs: number;
}

export interface ConnectOptions {
  readonly context: TlsContext;
  readonly serverName: string | undefined;
  readonly protocols: readonly string[];
  readonly timeoutMs: number;
}

/** Undefined where Node's OpenSSL cannot be reached. */
export function openTls(loop: EventLoop): EpollTls | undefined {
  const openssl = loadOpenssl();
  if (openssl === undefined) return undefined;
  return {
    newContext: (role, options) => openssl.newContext(role, options),
    freeContext: (context) => openssl.freeContext(context),
    accept(below, options, done) {
      const socket: TlsSocket = new TlsSocket({
        ...options,
        loop,
        openssl,
        below,
        role: "server",
        done: (secured) => done(secured ? socket : undefined),
      });
    },
    connect(below, { context, serverName, protocols, timeoutMs }, done) {
      const socket: TlsSocket = new TlsSocket({
        loop,
        openssl,
        below,
        context,
        role: "client",
        asks: { serverName, protocols },
        timeoutMs,
        // Asked for in the constructor, answered in a later turn at the earliest: unless the first message cannot be written.
        done: (secured) => queueMicrotask(() => done(secured ? socket : undefined)),
      });
    },
  };
}
