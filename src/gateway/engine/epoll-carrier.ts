/** Sockets, datagrams and TLS of an event loop of ours, in a thread that does nothing else. */
import { bindEpollUdp, EpollPeerSocket } from "../../net/epoll/epoll-datagrams.ts";
import { connectEpoll, listenEpoll } from "../../net/epoll/epoll-transport.ts";
import type { EventLoop } from "../../net/epoll/event-loop.ts";
import type { EpollTls } from "../../net/epoll/tls.ts";
import type { StreamSocket } from "../../net/stream-socket.ts";
import type { Carrier } from "./carrier.ts";
import { connectEpollTls, createEpollTlsServer } from "./epoll-tls.ts";

export interface EpollCarrierOptions {
  readonly loop: EventLoop;
  readonly tls: EpollTls;
  /** Several threads listen on the same port. */
  readonly shared?: boolean;
  /** Default: from this host's network. */
  readonly connect?: Carrier["connect"] | undefined;
  readonly udpTarget?: Carrier["udpTarget"] | undefined;
}

export function createEpollCarrier({ loop, tls, shared = false, connect, udpTarget }: EpollCarrierOptions): Carrier {
  return {
    clock: loop.clock,
    soon: (run) => loop.defer(run),
    async listen(options) {
      const listener = listenEpoll(loop, { ...options, shared });
      return listener.kind === "failed" ? listener : { ...listener, close: async () => listener.close() };
    },
    bindUdp: async (options) => bindEpollUdp(loop, options),
    connect: connect ?? ((endpoint, timeoutMs) => connectFrom(loop, endpoint.ip, endpoint.port, timeoutMs)),
    udpTarget: udpTarget ?? (({ ip, port }) => ({ ip, port, open: async () => new EpollPeerSocket(loop, ip.includes(":") ? 6 : 4) })),
    tlsServer: (options) => createEpollTlsServer(tls, options),
    tlsClient: (socket, options) => connectEpollTls(tls, socket, options),
  };
}

function connectFrom(loop: EventLoop, host: string, port: number, timeoutMs: number): Promise<StreamSocket> {
  return new Promise((resolve, reject) => {
    connectEpoll(loop, { host, port, timeoutMs }, (result) => {
      if ("failed" in result) reject(Object.assign(new Error(result.failed), { code: result.failed }));
      else resolve(result);
    });
  });
}
