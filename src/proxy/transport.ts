/**
 * How a backend in user space gets to an endpoint. By default from this host's own network; where endpoints live in network
 * namespaces, from inside one of them. What the endpoint sees as its client is decided here, by the plan's `masquerade`.
 */
import type { PlanEndpoint } from "../decide/proxy/index.ts";
import { connectTcp, type ConnectFailed } from "../net/connect.ts";
import { bindEpollUdp, EpollPeerSocket } from "../net/epoll/epoll-datagrams.ts";
import { connectEpoll, listenEpoll } from "../net/epoll/epoll-transport.ts";
import type { EventLoop } from "../net/epoll/event-loop.ts";
import { bindUdp, listenTcp, type Address, type BindFailure } from "../net/listener.ts";
import type { StreamSocket } from "../net/stream-socket.ts";
import type { Sender, UdpRelayOptions, UdpTarget } from "../net/udp-relay.ts";

export interface Approach {
  readonly endpoint: Pick<PlanEndpoint, "ip" | "port">;
  /** The client's address as the listener saw it. */
  readonly client: string;
  /** The endpoint sees the node in place of the client. */
  readonly masquerade: boolean;
}

/** What listens: a paused socket for each connection. */
export interface StreamListenOptions extends Address {
  readonly onConnection: (socket: StreamSocket) => void;
}

export interface StreamListener extends Address {
  close(): Promise<void>;
}

export interface DatagramListenOptions extends Address {
  readonly onMessage: (message: Buffer, from: Sender) => void;
}

export interface DatagramListener extends Address {
  readonly kind: "ok";
  readonly socket: UdpRelayOptions["listener"];
  close(): Promise<void>;
}

export type ConnectResult = StreamSocket | ConnectFailed;

export interface Transport {
  /** Whether pods have the forward proxy, by which they reach an address that is not open here as well (loopback mode). */
  readonly forwardProxy: boolean;
  /** Calls back once, as `connectTcp` does. */
  connect(approach: Approach, timeoutMs: number, done: (result: ConnectResult) => void): void;
  /** For connections that are given away, which must be Node's sockets. Absent: this one. */
  readonly giving?: Transport;
  listen(options: StreamListenOptions): Promise<(StreamListener & { readonly kind: "ok" }) | BindFailure>;
  bindUdp(options: DatagramListenOptions): Promise<DatagramListener | BindFailure>;
  /** Runs it when the present events of its sockets have been dealt with. Absent: `setImmediate`. */
  readonly soon?: (run: () => void) => void;
  /** When the backend has stopped: nothing is carried any more. */
  close?(): void;
  /** Where a UDP session goes; a connected socket is made when its first datagram comes. */
  udpTarget(approach: Approach): UdpTarget;
}

export type { UdpTarget };

export const hostTransport: Transport = {
  forwardProxy: true,
  listen: listenTcp,
  bindUdp,
  connect: ({ endpoint, client, masquerade }, timeoutMs, done) =>
    connectTcp({ host: endpoint.ip, port: endpoint.port, timeoutMs, localAddress: sourceFor(client, endpoint, masquerade) }, done),
  udpTarget: ({ endpoint, client, masquerade }) => ({
    ip: endpoint.ip,
    port: endpoint.port,
    localAddress: sourceFor(client, endpoint, masquerade),
  }),
};

/**
 * The address to connect from, so that the endpoint sees its client: possible without any right where both are in 127.0.0.0/8.
 * 127.0.0.1 is what the kernel takes anyway.
 */
export function sourceFor(client: string, endpoint: Pick<PlanEndpoint, "ip">, masquerade: boolean): string | undefined {
  if (masquerade || client === endpoint.ip || client === "127.0.0.1" || !isLoopbackText(client) || !isLoopbackText(endpoint.ip))
    return undefined;
  return client;
}

const isLoopbackText = (text: string): boolean => text.startsWith("127.");

/** This host's network by an epoll loop, which is this transport's from here on: for a program that does nothing else than carry connections. */
export function epollTransport(loop: EventLoop): Transport {
  return {
    ...hostTransport,
    forwardProxy: false,
    giving: hostTransport,
    soon: (run) => loop.defer(run),
    close: () => loop.stop(),
    bindUdp: async (options) => bindEpollUdp(loop, options),
    udpTarget: ({ endpoint: { ip, port }, client, masquerade }) => ({
      ip,
      port,
      open: async () => new EpollPeerSocket(loop, ip.includes(":") ? 6 : 4, sourceFor(client, { ip }, masquerade)),
    }),
    connect: ({ endpoint, client, masquerade }, timeoutMs, done) =>
      connectEpoll(
        loop,
        { host: endpoint.ip, port: endpoint.port, timeoutMs, localAddress: sourceFor(client, endpoint, masquerade) },
        done,
      ),
    async listen(options) {
      const listener = listenEpoll(loop, options);
      return listener.kind === "failed" ? listener : { ...listener, close: async () => listener.close() };
    },
  };
}
