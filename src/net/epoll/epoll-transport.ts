/** Listening and connecting in an event loop. What cannot be bound is a value; a connection that cannot be had rejects with the errno. */
import * as c from "../../host/syscalls/constants.ts";
import { decodeSocketAddress, encodeSocketAddress } from "../../host/syscalls/socket-address.ts";
import { errorName, SystemError } from "../../host/syscalls/system-error.ts";
import type { ConnectFailed } from "../connect.ts";
import type { BindFailure } from "../listener.ts";
import { addressOf } from "./addresses.ts";
import { EpollSocket } from "./epoll-socket.ts";
import type { EventLoop } from "./event-loop.ts";

export interface EpollListenOptions {
  /** An IP address. */
  readonly host: string;
  /** 0: the kernel chooses. */
  readonly port: number;
  /** A socket that is bound there already; it is adopted. */
  readonly fd?: number;
  /** Several listeners, of several threads, share the port. */
  readonly shared?: boolean;
  readonly backlog?: number;
  /** Gets a paused socket. */
  readonly onConnection: (socket: EpollSocket) => void;
}

export interface EpollListener {
  readonly kind: "ok";
  readonly fd: number;
  readonly host: string;
  readonly port: number;
  close(): void;
}

/** Others get their turn after this many connections. */
const acceptsAtOnce = 64;

export function listenEpoll(loop: EventLoop, options: EpollListenOptions): EpollListener | BindFailure {
  const { host, port, backlog = 1024, onConnection } = options;
  const { libc } = loop;
  let fd = options.fd ?? -1;
  try {
    if (fd < 0) fd = bound(loop, options);
    // What is accepted inherits it.
    libc.setsockopt(fd, c.IPPROTO_TCP, c.TCP_NODELAY, 1);
    libc.listen(fd, backlog);
    const accept = () => acceptSome(loop, fd, onConnection);
    loop.watch(fd, { onEvents: accept }, c.EPOLLIN);
    const close = () => {
      loop.forget(fd);
      libc.close(fd);
    };
    return { kind: "ok", fd, host, port: decodeSocketAddress(libc.getsockname(fd))?.port ?? port, close };
  } catch (error) {
    if (fd >= 0) libc.close(fd);
    if (!(error instanceof SystemError)) throw error;
    return { kind: "failed", code: error.code, message: `${error.message} ${host}:${port}` };
  }
}

function bound({ libc }: EventLoop, { host, port, shared = false }: EpollListenOptions): number {
  const family = host.includes(":") ? c.AF_INET6 : c.AF_INET;
  const fd = libc.socket(family, c.SOCK_STREAM | c.SOCK_NONBLOCK, 0);
  try {
    libc.setsockopt(fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1);
    if (shared) libc.setsockopt(fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1);
    libc.bind(fd, encodeSocketAddress(host, port));
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

const peer = new Uint8Array(28);

function acceptSome(loop: EventLoop, listener: number, onConnection: (socket: EpollSocket) => void): void {
  for (let count = 0; count < acceptsAtOnce; count++) {
    const fd = loop.libc.accept4(listener, peer, c.SOCK_NONBLOCK);
    // Nobody waits, or no descriptor is left (EMFILE): level-triggered, so that it is tried again.
    if (fd < 0) return;
    // From the pool: memory of its own would cost more than all else here.
    onConnection(new EpollSocket(loop, fd, Buffer.from(peer)));
  }
}

export interface EpollConnectOptions {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** The address to come from. */
  readonly localAddress?: string | undefined;
}

/** Calls back once, with a connected, paused socket or with why not; as `connectTcp` does. */
export function connectEpoll(loop: EventLoop, options: EpollConnectOptions, done: (result: EpollSocket | ConnectFailed) => void): void {
  const { host, port, timeoutMs } = options;
  const { libc } = loop;
  const address = addressOf(host, port);
  let fd: number;
  try {
    fd = outgoing(loop, options);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return done({ failed: error.code });
  }
  const fail = (errno: number) => {
    libc.close(fd);
    done({ failed: errorName(errno) });
  };
  const result = libc.connect(fd, address);
  if (result === 0) return done(new EpollSocket(loop, fd, address));
  if (result !== -c.EINPROGRESS) return fail(-result);
  const socket = new EpollSocket(loop, fd, address, (errno) => {
    timer.cancel();
    done(errno === 0 ? socket : { failed: errorName(errno) });
  });
  const timer = loop.clock.after(timeoutMs, () => {
    socket.destroy();
    done({ failed: "ETIMEDOUT" });
  });
}

/** As `connectEpoll`, with a socket that somebody else made, not blocking, and connects or has connected. It is taken over. */
export function adoptEpoll(
  loop: EventLoop,
  { fd, connected }: { readonly fd: number; readonly connected: boolean },
  timeoutMs: number,
  done: (result: EpollSocket | ConnectFailed) => void,
): void {
  if (connected) return done(new EpollSocket(loop, fd));
  const socket = new EpollSocket(loop, fd, undefined, (errno) => {
    timer.cancel();
    done(errno === 0 ? socket : { failed: errorName(errno) });
  });
  const timer = loop.clock.after(timeoutMs, () => {
    socket.destroy();
    done({ failed: "ETIMEDOUT" });
  });
}

/** A socket to connect with. One whose source address cannot be had (its ports are used up) comes from the default address. */
function outgoing({ libc }: EventLoop, { host, localAddress }: EpollConnectOptions): number {
  const fd = libc.socket(host.includes(":") ? c.AF_INET6 : c.AF_INET, c.SOCK_STREAM | c.SOCK_NONBLOCK, 0);
  libc.setsockopt(fd, c.IPPROTO_TCP, c.TCP_NODELAY, 1);
  if (localAddress === undefined) return fd;
  try {
    libc.setsockopt(fd, c.SOL_IP, c.IP_BIND_ADDRESS_NO_PORT, 1);
    libc.bind(fd, encodeSocketAddress(localAddress, 0));
  } catch {
    // The client then is not seen by the endpoint; that is better than no connection.
  }
  return fd;
}
