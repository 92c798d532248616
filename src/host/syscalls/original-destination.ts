/** Where a connection was going before this machine's NAT sent it here (REDIRECT, DNAT). */
import { IP6T_SO_ORIGINAL_DST, SO_ORIGINAL_DST, SOL_IP, SOL_IPV6 } from "./constants.ts";
import type { Libc } from "./libc.ts";
import { decodeSocketAddress, type SocketAddress } from "./socket-address.ts";

/** `family`: of the accepted socket. Undefined when no NAT was at work (conntrack knows no such connection). */
export function originalDestination(libc: Libc, fd: number, family: 4 | 6): SocketAddress | undefined {
  try {
    return decodeSocketAddress(
      family === 4
        ? libc.getsockopt(fd, SOL_IP, SO_ORIGINAL_DST, new Uint8Array(16))
        : libc.getsockopt(fd, SOL_IPV6, IP6T_SO_ORIGINAL_DST, new Uint8Array(28)),
    );
  } catch {
    return undefined; // ENOENT or ENOPROTOOPT: nothing to know
  }
}
