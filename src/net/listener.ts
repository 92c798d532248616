/** Binds TCP and UDP addresses. That an address cannot be bound is an expected outcome: a value, not an exception. */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { errnoCode, errorMessage } from "../lib/errors.ts";

export interface BindFailure {
  readonly kind: "failed";
  /** `EACCES` (port below 1024 without the right), `EADDRINUSE`, `EADDRNOTAVAIL` (no address of this host), or another errno. */
  readonly code: string;
  readonly message: string;
}

export interface Address {
  /** An IP address: names are not looked up. */
  readonly host: string;
  /** 0: the kernel chooses. */
  readonly port: number;
  /** A socket that is bound there already (in another network namespace): it is adopted, and closed in the end. */
  readonly fd?: number;
}

export interface TcpListener extends Address {
  readonly kind: "ok";
  /** Stops accepting at once, so that the kernel refuses who comes next; open connections stay. Resolves when the address is free. */
  close(): Promise<void>;
}

export interface TcpListenOptions extends Address {
  /** Gets a paused socket with half-open allowed: nothing is read before the handler has somewhere to put it. */
  readonly onConnection: (socket: Socket) => void;
  /** Connections that the kernel holds while the process is busy; more wait for a SYN to be sent again (a second). */
  readonly backlog?: number;
}

export function listenTcp({ host, port, fd, onConnection, backlog = 1024 }: TcpListenOptions): Promise<TcpListener | BindFailure> {
  return new Promise((resolve) => {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, onConnection);
    server.once("error", (error) => resolve(failure(error)));
    server.listen(fd === undefined ? { host, port, backlog, exclusive: true } : { fd, backlog }, () => {
      server.removeAllListeners("error");
      // After the start only accept(2) can fail (EMFILE, ECONNABORTED); libuv goes on accepting by itself.
      server.on("error", keepListening);
      resolve({ kind: "ok", host, port: portOf(server), close: () => closeServer(server) });
    });
  });
}

function keepListening(): void {
  // The listener has survived; the client that lost its place sees a reset.
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // `close` frees the address now but calls back only when the last connection has gone: nobody waits for that.
    server.close();
    setImmediate(resolve);
  });
}

export interface UdpListener extends Address {
  readonly kind: "ok";
  readonly socket: UdpSocket;
  close(): Promise<void>;
}

export interface UdpBindOptions extends Address {
  readonly onMessage: (message: Buffer, from: RemoteInfo) => void;
}

export function bindUdp({ host, port, fd, onMessage }: UdpBindOptions): Promise<UdpListener | BindFailure> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: host.includes(":") ? "udp6" : "udp4" });
    socket.once("error", (error) => {
      socket.close();
      resolve(failure(error));
    });
    socket.bind(fd === undefined ? { address: host, port, exclusive: true } : { fd }, () => {
      socket.removeAllListeners("error");
      // A reply that could not be sent (the client has gone: ECONNREFUSED) concerns that client only.
      socket.on("error", keepListening);
      socket.on("message", onMessage);
      resolve({ kind: "ok", host, port: socket.address().port, socket, close: () => new Promise((done) => socket.close(() => done())) });
    });
  });
}

function failure(error: unknown): BindFailure {
  return { kind: "failed", code: errnoCode(error) ?? "UNKNOWN", message: errorMessage(error) };
}
