/**
 * A userspace proxy's listening sockets passed to the one that takes its place, over an abstract Unix socket of the network
 * namespace: connections that wait in them are not lost. The old proxy then only carries what it has begun. Only the same user may ask.
 */
import * as c from "../../host/syscalls/constants.ts";
import { abstractAddress, maxDescriptors, peerUser, receiveDescriptors, sendDescriptors } from "../../host/syscalls/descriptors.ts";
import type { Libc } from "../../host/syscalls/libc.ts";
import { sleep, type Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import type { EventLoop } from "../../net/epoll/event-loop.ts";
import type { HandedListener, InheritedListeners } from "../backends/inherited.ts";

const socketName = "fairlead-proxy-handover";
const takeMs = 10_000;

interface Part {
  /** `[key, port]` for each descriptor, in their order. */
  readonly listeners: readonly (readonly [string, number])[];
  readonly last: boolean;
}

/** Gives, once, to whoever of the same user asks. What it returns withdraws the offer. */
export function offerHandover(loop: EventLoop, log: Logger, give: () => readonly HandedListener[], given: () => void): () => void {
  const { libc } = loop;
  const socket = libc.socket(c.AF_UNIX, c.SOCK_SEQPACKET | c.SOCK_NONBLOCK, 0);
  const open = new Set([socket]);
  const withdraw = () => {
    for (const fd of open) {
      loop.forget(fd);
      libc.close(fd);
    }
    open.clear();
  };
  libc.bind(socket, abstractAddress(socketName));
  libc.listen(socket, 4);
  const accept = () => {
    const client = libc.accept4(socket, null, 0);
    if (client < 0) return;
    if (peerUser(libc, client) !== process.getuid?.()) return libc.close(client);
    open.add(client);
    loop.watch(client, { onEvents: () => asked(client) }, c.EPOLLIN);
  };
  const asked = (client: number) => {
    if (typeof receiveDescriptors(libc, client) !== "object") {
      loop.forget(client);
      open.delete(client);
      return libc.close(client);
    }
    const listeners = give();
    log.info("another proxy takes this one's place", { listeners: listeners.length });
    sendAll(libc, client, listeners);
    withdraw();
    given();
  };
  loop.watch(socket, { onEvents: accept }, c.EPOLLIN);
  return withdraw;
}

function sendAll(libc: Libc, client: number, listeners: readonly HandedListener[]): void {
  for (let at = 0; at === 0 || at < listeners.length; at += maxDescriptors) {
    const some = listeners.slice(at, at + maxDescriptors);
    const part: Part = { listeners: some.map(({ key, port }) => [key, port]), last: at + maxDescriptors >= listeners.length };
    if (sendDescriptors(libc, client, { bytes: Buffer.from(JSON.stringify(part)), descriptors: some.map(({ fd }) => fd) }) < 0) return;
  }
}

export interface Handover {
  /** The old proxy listens no more from here on. Undefined: it went away, or did not answer in time. */
  take(): Promise<InheritedListeners | undefined>;
}

/** Undefined: nobody offers. */
export function seekHandover(libc: Libc, clock: Clock): Handover | undefined {
  const socket = libc.socket(c.AF_UNIX, c.SOCK_SEQPACKET | c.SOCK_NONBLOCK, 0);
  if (libc.connect(socket, abstractAddress(socketName)) < 0) {
    libc.close(socket);
    return undefined;
  }
  return {
    async take() {
      const inherited = new Map<string, { readonly port: number; readonly fd: number }>();
      try {
        sendDescriptors(libc, socket, { bytes: Buffer.from("give"), descriptors: [] });
        for (const until = clock.monotonic() + takeMs; clock.monotonic() < until;) {
          const message = receiveDescriptors(libc, socket);
          if (message === -c.EAGAIN) await sleep(clock, 2);
          else if (typeof message !== "object") return undefined;
          else {
            const part = JSON.parse(message.bytes.toString()) as Part;
            for (const [index, [key, port]] of part.listeners.entries())
              inherited.set(key, { port, fd: message.descriptors[index] as number });
            if (part.last) return inherited;
          }
        }
        return undefined;
      } finally {
        libc.close(socket);
      }
    },
  };
}
