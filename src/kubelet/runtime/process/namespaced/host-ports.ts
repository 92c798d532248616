/**
 * `hostPort`: a port of the node that leads to a pod's, by a relay in the node's network (upstream leaves it to the CNI plugin
 * `portmap`, which translates addresses: there the pod sees who connects, here it sees the node).
 */
import { createSocket } from "node:dgram";
import type { Pod } from "../../../../api/types.ts";
import type { NodeNetwork } from "../../../../host/namespaces/namespaces.ts";
import type { Clock } from "../../../../lib/clock.ts";
import { errnoCode, errorMessage } from "../../../../lib/errors.ts";
import { joinHostPort } from "../../../../lib/ip.ts";
import { bindUdp, listenTcp } from "../../../../net/listener.ts";
import { relay } from "../../../../net/relay.ts";
import { UdpRelay } from "../../../../net/udp-relay.ts";

export interface HostPort {
  /** Empty: all of the node's. */
  readonly hostIP: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: string;
}

/** Those of a pod that has a network of its own. Pure. */
export function hostPorts(pod: Pod): readonly HostPort[] {
  if (pod.spec?.hostNetwork === true) return [];
  return (pod.spec?.containers ?? [])
    .flatMap(({ ports }) => ports ?? [])
    .filter(({ hostPort }) => (hostPort ?? 0) > 0)
    .map(({ hostIP = "", hostPort = 0, containerPort, protocol = "TCP" }) => ({ hostIP, hostPort, containerPort, protocol }));
}

export interface HostPortsOptions {
  readonly network: NodeNetwork;
  readonly podIPs: readonly string[];
  readonly clock: Clock;
}

export type CloseHostPorts = () => Promise<void>;

const udpIdleMs = 60_000;

/** Opens all or none. Throws with the address that cannot be had. */
export async function openHostPorts(ports: readonly HostPort[], options: HostPortsOptions): Promise<CloseHostPorts> {
  const closing: (() => Promise<void>)[] = [];
  const close = async () => {
    await Promise.all(closing.splice(0).map((end) => end()));
  };
  try {
    for (const port of ports) for (const address of addressesOf(port, options)) closing.push(await openOne(port, address, options));
    return close;
  } catch (error) {
    await close();
    throw error;
  }
}

/** Each by itself, so that an answer leaves from the address that was asked; of families that the pod has too. */
function addressesOf({ hostIP }: HostPort, { network, podIPs }: HostPortsOptions): readonly string[] {
  const wanted = hostIP === "" || hostIP === "0.0.0.0" || hostIP === "::" ? [...network.addresses, "127.0.0.1", "::1"] : [hostIP];
  const reachable = wanted.filter((address) => sameFamily(podIPs, address) !== undefined);
  return hostIP === "0.0.0.0" ? reachable.filter((address) => !address.includes(":")) : reachable;
}

function sameFamily(podIPs: readonly string[], address: string): string | undefined {
  return podIPs.find((ip) => ip.includes(":") === address.includes(":"));
}

function openOne(port: HostPort, address: string, options: HostPortsOptions): Promise<() => Promise<void>> {
  const target = { host: sameFamily(options.podIPs, address) ?? "", port: port.containerPort };
  if (port.protocol === "TCP") return openTcp(address, port.hostPort, target, options);
  if (port.protocol === "UDP") return openUdp(address, port.hostPort, target, options);
  throw new Error(`hostPort ${port.hostPort}/${port.protocol}: this node forwards TCP and UDP only`);
}

interface Target {
  readonly host: string;
  readonly port: number;
}

async function openTcp(host: string, port: number, target: Target, { network }: HostPortsOptions): Promise<() => Promise<void>> {
  const { fd } = await network.listen(host, port).catch((error: unknown) => refused(host, port, "TCP", error));
  const listener = await listenTcp({
    host,
    port,
    fd,
    onConnection(client) {
      client.on("error", () => client.destroy());
      network.connect(target).then(
        (server) => relay(client, server),
        () => client.resetAndDestroy(),
      );
    },
  });
  if (listener.kind === "failed") throw new Error(listener.message);
  return () => listener.close();
}

async function openUdp(host: string, port: number, target: Target, options: HostPortsOptions): Promise<() => Promise<void>> {
  const { network, clock } = options;
  const { fd } = await network.bindUdp(host, port).catch((error: unknown) => refused(host, port, "UDP", error));
  const any = target.host.includes(":") ? "::" : "0.0.0.0";
  const open = async () => {
    const own = await network.bindUdp(any, 0);
    const socket = createSocket({ type: target.host.includes(":") ? "udp6" : "udp4" });
    await new Promise<void>((resolve) => socket.bind({ fd: own.fd }, resolve));
    return socket;
  };
  let sessions: UdpRelay | undefined;
  const listener = await bindUdp({ host, port, fd, onMessage: (message, from) => sessions?.receive(message, from) });
  if (listener.kind === "failed") throw new Error(listener.message);
  sessions = new UdpRelay({
    listener: listener.socket,
    choose: () => ({ ip: target.host, port: target.port, open }),
    clock,
    idleMs: udpIdleMs,
  });
  return async () => {
    sessions?.close();
    await listener.close();
  };
}

function refused(host: string, port: number, protocol: string, error: unknown): never {
  const why = errnoCode(error) === "EADDRINUSE" ? "is in use" : `cannot be opened (${errorMessage(error)})`;
  throw new Error(`hostPort ${joinHostPort(host, port)}/${protocol} ${why}`, { cause: error });
}
