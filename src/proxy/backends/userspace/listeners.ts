/** One bound virtual address, TCP or UDP, and what a failed bind means to a person. */
import type { StreamSocket } from "../../../net/stream-socket.ts";
import type { Clock } from "../../../lib/clock.ts";
import { joinHostPort, type Ip } from "../../../lib/ip.ts";
import type { BindFailure } from "../../../net/listener.ts";
import { UdpRelay, type UdpTarget } from "../../../net/udp-relay.ts";
import type { PlanEndpoint, Protocol, SourceClass, VirtualAddress } from "../../../decide/proxy/index.ts";
import type { ProxyMetrics } from "../../metrics.ts";
import type { Transport } from "../../transport.ts";
import type { AddressProblem } from "../backend.ts";
import { routeOf, type PortState } from "./address.ts";
import type { Balancer } from "./balancer.ts";
import { carry } from "./tcp.ts";

/** Upstream's userspace proxy forgets a UDP client after this long; DNS clients use each port once. */
const udpIdleMs = (port: number) => (port === 53 ? 60_000 : 250_000);

export interface BoundContext {
  readonly clock: Clock;
  readonly metrics: ProxyMetrics;
  readonly classify: (from: Ip, text: string) => SourceClass;
  readonly transport: Transport;
  readonly open: Set<StreamSocket>;
}

/** What is bound. `address` and `port` change in place when the plan does: the listener stays. */
export interface Bound {
  address: VirtualAddress;
  port: PortState;
  /** The port that listens: the address's own, or a stand-in. */
  at: number;
  /** Of a listener that can be given away. */
  fd?: number;
  /** After the plan has changed. */
  recheck(): void;
  close(): Promise<void>;
}

/** Where to listen, if not at the virtual address itself. */
export interface ListenAt {
  readonly host: string;
  readonly port: number;
  /** Of another proxy, that listens there already. */
  readonly fd?: number;
}

export async function bind(
  protocol: Protocol,
  address: VirtualAddress,
  port: PortState,
  context: BoundContext,
  at: ListenAt = { host: address.address, port: address.port },
): Promise<Bound | BindFailure> {
  return protocol === "UDP" ? await bindDatagrams(address, port, context, at) : await bindStream(address, port, context, at);
}

async function bindStream(
  address: VirtualAddress,
  port: PortState,
  { classify, metrics, transport, open }: BoundContext,
  at: ListenAt,
): Promise<Bound | BindFailure> {
  const bound: Bound = { address, port, at: at.port, recheck: keepConnections, close: async () => {} };
  const options = {
    route: (client: string) => routeOf(bound.port, bound.address, client, classify),
    requests: (balancer: Balancer<PlanEndpoint>) => bound.port.requests.open(bound.port.plan, balancer),
    metrics,
    transport,
    open,
  };
  const listener = await transport.listen({ ...at, onConnection: (socket) => carry(socket, options) });
  if (listener.kind === "failed") return listener;
  bound.at = listener.port;
  if (listener.fd !== undefined) bound.fd = listener.fd;
  bound.close = () => listener.close();
  return bound;
}

function keepConnections(): void {
  // An open TCP connection stays with its endpoint, also when that takes no new ones.
}

async function bindDatagrams(
  address: VirtualAddress,
  port: PortState,
  { classify, clock, metrics, transport }: BoundContext,
  at: ListenAt,
): Promise<Bound | BindFailure> {
  const bound: Bound = { address, port, at: at.port, recheck: () => {}, close: async () => {} };
  let session: UdpRelay | undefined;
  const choose = (client: string): UdpTarget | undefined => {
    const route = routeOf(bound.port, bound.address, client, classify);
    const endpoint = route.kind === "to" ? route.balancer.pick(client) : undefined;
    if (route.kind !== "to" || endpoint === undefined) return undefined;
    metrics.connections.inc();
    route.balancer.count(endpoint);
    return transport.udpTarget({ endpoint, client, masquerade: route.masquerade });
  };
  const listener = await transport.bindUdp({
    ...at,
    onMessage: (message, from) => session?.receive(message, from),
  });
  if (listener.kind === "failed") return listener;
  bound.at = listener.port;
  const relay = new UdpRelay({ listener: listener.socket, choose, clock, idleMs: udpIdleMs(address.port) });
  session = relay;
  bound.recheck = () =>
    relay.recheck((target, client) => {
      const route = routeOf(bound.port, bound.address, client, classify);
      return route.kind === "to" && route.balancer.has(target);
    });
  bound.close = async () => {
    relay.close();
    await listener.close();
  };
  return bound;
}

/** Why an address is not bound, and what to do. `forwardProxy`: see Transport. */
export function bindProblem(
  protocol: Protocol,
  { address, port }: VirtualAddress,
  { code, message }: BindFailure,
  forwardProxy: boolean,
): AddressProblem {
  const where = { protocol, address, port };
  const text = joinHostPort(address, port);
  const inPods = protocol === "TCP" && forwardProxy ? " Pods reach it all the same through HTTP_PROXY and ALL_PROXY." : "";
  const inPod = forwardProxy ? " (in a pod: $HOST)" : "";
  switch (code) {
    case "EACCES":
      return {
        ...where,
        reason: "PortNotPermitted",
        severity: "warning",
        retry: false,
        message: `${protocol} ${text} is not open: ports below 1024 need root here.${inPods} From the host: use a Service port from 1024 on, or allow it with 'sudo sysctl net.ipv4.ip_unprivileged_port_start=0' and start again.`,
      };
    case "EADDRINUSE":
      return {
        ...where,
        reason: "AddressInUse",
        severity: "warning",
        retry: true,
        message: `${protocol} ${text} is not open: another program listens on port ${port}, on this address or on all.${inPods} It is tried again; to free it, let that program listen on an address of its own${inPod}.`,
      };
    case "EADDRNOTAVAIL":
      return {
        ...where,
        reason: "AddressNotLocal",
        severity: "info",
        retry: true,
        message: `${protocol} ${text} is not open: this host has no address ${address}.${inPods}`,
      };
    default:
      return {
        ...where,
        reason: "ListenFailed",
        severity: "warning",
        retry: true,
        message: `${protocol} ${text} is not open: ${message}. It is tried again.`,
      };
  }
}
