/** What userspace mode needs where it is a program of its own: an epoll loop for its sockets, and rules for addresses that are no host's. */
import { NETLINK_NETFILTER, openNetlink } from "../../host/netlink/socket.ts";
import { openNftables } from "../../host/nftables/nftables.ts";
import { loadLibc, type Libc } from "../../host/syscalls/libc.ts";
import { realClock } from "../../lib/clock.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { EventLoop } from "../../net/epoll/event-loop.ts";
import { kernelRedirects, type Redirects } from "../backends/userspace/redirects.ts";
import type { ProxyOptions } from "../proxy-options.ts";
import { epollTransport } from "../transport.ts";
import { localAddresses } from "./kernel.ts";

export interface UserspaceCarrier {
  readonly options: Pick<ProxyOptions, "transport" | "redirects">;
  /** That carries the connections. Absent without FFI. */
  readonly loop?: EventLoop;
}

export function openUserspace(log: Logger): UserspaceCarrier {
  const libc = loadLibc();
  if (libc === undefined) return { options: {} };
  const redirects = redirectsOrNone(libc, log);
  const loop = startLoop(libc);
  return { loop, options: { transport: epollTransport(loop), ...(redirects === undefined ? {} : { redirects }) } };
}

/** How long Node's own sockets and timers (the watches of the API) may wait for their turn while no connection does anything, in ms. */
const turnMs = 5;

/** It runs as long as the program. */
function startLoop(libc: Libc): EventLoop {
  const loop = new EventLoop(libc, realClock, turnMs);
  loop.start();
  return loop;
}

/** Without the right to write rules only addresses that are this host's are open, which is told for each that is not. */
function redirectsOrNone(libc: Libc, log: Logger): Redirects | undefined {
  const addresses = localAddresses().filter((address) => !address.startsWith("127.") && address !== "::1");
  const hosts = ([4, 6] as const).flatMap((family) => addresses.find((address) => address.includes(":") === (family === 6)) ?? []);
  if (hosts.length === 0) return undefined;
  try {
    return kernelRedirects(openNftables(openNetlink(libc, NETLINK_NETFILTER)), hosts);
  } catch (error) {
    log.warn("virtual addresses that are not this host's are not carried: no rules can be written here", { error: errorMessage(error) });
    return undefined;
  }
}
