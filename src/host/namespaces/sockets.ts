/** Sockets of the network namespace where the thread is; none of them ever blocks. The descriptors go to the main thread. */
import { joinHostPort } from "../../lib/ip.ts";
import * as c from "../syscalls/constants.ts";
import type { Libc } from "../syscalls/libc.ts";
import { decodeSocketAddress, encodeSocketAddress } from "../syscalls/socket-address.ts";
import { SystemError } from "../syscalls/system-error.ts";
import type { Results, SocketKind } from "./protocol.ts";

const backlog = 511;

/** Throws the system's error where it is known at once, as it mostly is between neighbours. */
export function startConnecting(libc: Libc, host: string, port: number, localAddress?: string): Results["connect"] {
  const where = joinHostPort(host, port);
  return withSocket(libc, host, c.SOCK_STREAM, (fd) => {
    if (localAddress !== undefined) libc.bind(fd, encodeSocketAddress(localAddress, 0), localAddress);
    const result = libc.connect(fd, encodeSocketAddress(host, port));
    if (result < 0 && result !== -c.EINPROGRESS) throw new SystemError("connect", -result, where);
    return { fd, connected: result === 0 };
  });
}

export function bindSocket(libc: Libc, kind: SocketKind, address: string, port: number): Results["bind"] {
  return withSocket(libc, address, kind === "tcp" ? c.SOCK_STREAM : c.SOCK_DGRAM, (fd) => {
    if (kind === "tcp") libc.setsockopt(fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1);
    if (address.includes(":")) libc.setsockopt(fd, c.SOL_IPV6, c.IPV6_V6ONLY, 1);
    libc.bind(fd, encodeSocketAddress(address, port), joinHostPort(address, port));
    if (kind === "tcp") libc.listen(fd, backlog);
    return { fd, port: decodeSocketAddress(libc.getsockname(fd))?.port ?? port };
  });
}

function withSocket<Result>(libc: Libc, address: string, type: number, use: (fd: number) => Result): Result {
  const family = address.includes(":") ? c.AF_INET6 : c.AF_INET;
  const fd = libc.socket(family, type | c.SOCK_NONBLOCK, 0);
  try {
    return use(fd);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}
