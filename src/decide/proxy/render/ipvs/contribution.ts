/**
 * What one Service puts into the kernel in ipvs mode (upstream pkg/proxy/ipvs/proxier.go `syncProxyRules`, the loop over Service ports).
 * Which endpoints an address leads to is read from the plan. A virtual server has one set of real servers, whoever the client is:
 * where the plan tells clients apart, this mode cannot (`differences.ts` names the cases).
 */
import { formatCidr, isLoopback, parseCidr, parseIp, type IpFamily } from "../../../../lib/ip.ts";
import { endpointsOf, type PlanEndpoint, type PlannedService, type PortPlan, type VirtualAddress } from "../../plan.ts";
import { nodePortSet, type SetName } from "./sets.ts";
import { serverKey, type IpvsScheduler, type RealServer, type VirtualServer } from "./state.ts";

export interface ContributionOptions {
  readonly family: IpFamily;
  readonly scheduler: IpvsScheduler;
  /** Addresses that a link of the node has besides `kube-ipvs0`: these are taken for virtual servers without being bound. */
  readonly nodeAddresses: ReadonlySet<string>;
}

/** An address of a load balancer that the node itself must not reach (kubernetes #119656). */
export interface NoNodeAccess {
  readonly address: string;
  readonly port: number;
  readonly protocol: "tcp" | "udp" | "sctp";
}

export interface Contribution {
  readonly servers: readonly VirtualServer[];
  readonly addresses: readonly string[];
  readonly entries: readonly (readonly [SetName, string])[];
  readonly noNodeAccess: readonly NoNodeAccess[];
}

const transportOf = ({ protocol }: PortPlan) => protocol.toLowerCase() as NoNodeAccess["protocol"];

export function contribution({ ports, healthCheck }: PlannedService, options: ContributionOptions): Contribution {
  const here = ports.map((port) => portContribution(port, options));
  const probed = healthCheck !== undefined && here.some(({ servers }) => servers.length > 0);
  return {
    servers: here.flatMap(({ servers }) => servers),
    addresses: here.flatMap(({ addresses }) => addresses),
    entries: [
      ...here.flatMap(({ entries }) => entries),
      ...(probed ? [["KUBE-HEALTH-CHECK-NODE-PORT", String(healthCheck.port)] as const] : []),
    ],
    noNodeAccess: here.flatMap(({ noNodeAccess }) => noNodeAccess),
  };
}

function portContribution(port: PortPlan, options: ContributionOptions): Contribution {
  const addresses = port.addresses.filter((address) => address.family === options.family && !isLoopbackNodePort(address));
  const bound = addresses.filter(({ kind, address }) => kind !== "nodePort" && !options.nodeAddresses.has(address));
  // The kernel takes one virtual server for an address and port; the first that the plan names has it, a NodePort last.
  const servers = new Map(addresses.toReversed().map((address) => [serverKey({ ...address, ...port, port: address.port }), address]));
  return {
    servers: [...servers.values()].reverse().map((address) => virtualServer(port, address, options.scheduler)),
    addresses: [...new Set(bound.map(({ address }) => address))],
    entries: [...loopBack(port, options.family), ...addresses.flatMap((address) => entriesOf(port, address))],
    noNodeAccess: addresses
      .filter(keepsNodeOut)
      .map(({ address, port: number }) => ({ address, port: number, protocol: transportOf(port) })),
  };
}

/** IPVS sends no packets with a source in 127.0.0.0/8: NodePorts at loopback are user space's. */
function isLoopbackNodePort({ kind, address }: VirtualAddress): boolean {
  const ip = parseIp(address);
  return kind === "nodePort" && ip !== undefined && isLoopback(ip);
}

function virtualServer(port: PortPlan, address: VirtualAddress, scheduler: IpvsScheduler): VirtualServer {
  const { affinity } = port;
  return {
    address: address.address,
    port: address.port,
    protocol: port.protocol,
    scheduler,
    ...(affinity.kind === "clientIP" ? { persistenceSeconds: affinity.timeoutSeconds } : {}),
    ...(scheduler === "mh" ? { hashPort: true } : {}),
    realServers: endpointsBehind(port, address).map(({ ip, port: number }): RealServer => ({ ip, port: number, weight: 1 })),
  };
}

/** By policy Local this node's; where it has none, all (kubernetes #97081): better for pods here, and others see no answer. */
export function endpointsBehind(port: PortPlan, { kind, family }: Pick<VirtualAddress, "kind" | "family">): readonly PlanEndpoint[] {
  const { cluster, local } = endpointsOf(port, family);
  const policy = kind === "clusterIP" ? port.internalTrafficPolicy : port.externalTrafficPolicy;
  return policy === "Local" && local.length > 0 ? local : cluster;
}

/** A pod that reaches itself must be masqueraded, or it would answer itself past the proxy. */
function loopBack(port: PortPlan, family: IpFamily): readonly (readonly [SetName, string])[] {
  const { cluster, local } = endpointsOf(port, family);
  const here = new Set(
    [...cluster, ...local].filter((endpoint) => endpoint.local).map(({ ip, port: number }) => `${ip},${transportOf(port)}:${number},${ip}`),
  );
  return [...here].map((entry) => ["KUBE-LOOP-BACK", entry]);
}

function entriesOf(port: PortPlan, address: VirtualAddress): readonly (readonly [SetName, string])[] {
  const entry = `${address.address},${transportOf(port)}:${address.port}`;
  const local = port.externalTrafficPolicy === "Local";
  switch (address.kind) {
    case "clusterIP":
      return [["KUBE-CLUSTER-IP", entry]];
    case "externalIP":
      return [[local ? "KUBE-EXTERNAL-IP-LOCAL" : "KUBE-EXTERNAL-IP", entry]];
    case "loadBalancer":
      return [
        ["KUBE-LOAD-BALANCER", entry],
        ...(local ? ([["KUBE-LOAD-BALANCER-LOCAL", entry]] as const) : []),
        ...sourceEntries(address, entry),
      ];
    case "nodePort": {
      const member = port.protocol === "SCTP" ? entry : String(address.port);
      return [[nodePortSet(port.protocol, false), member], ...(local ? ([[nodePortSet(port.protocol, true), member]] as const) : [])];
    }
    default:
      return address.kind satisfies never;
  }
}

function sourceEntries({ address, sourceRanges }: VirtualAddress, entry: string): readonly (readonly [SetName, string])[] {
  if (sourceRanges === undefined) return [];
  const own = hostRange(address);
  return [
    ["KUBE-LOAD-BALANCER-FW", entry],
    ...sourceRanges
      .filter((range) => range !== own)
      .flatMap(halved)
      .map((range) => ["KUBE-LOAD-BALANCER-SOURCE-CIDR", `${entry},${range}`] as const),
    ...(sourceRanges.includes(own) ? ([["KUBE-LOAD-BALANCER-SOURCE-IP", `${entry},${address}`]] as const) : []),
  ];
}

const hostRange = (address: string): string => `${address}/${address.includes(":") ? 128 : 32}`;

/** A set holds no range of length 0 (ipset(8), hash:ip,port,net): everything is two halves. */
function halved(range: string): readonly string[] {
  const cidr = parseCidr(range);
  if (cidr === undefined) return [];
  if (cidr.bits !== 0) return [formatCidr(cidr)];
  return cidr.family === 4 ? ["0.0.0.0/1", "128.0.0.0/1"] : ["::/1", "8000::/1"];
}

/** The node's packets to an address bound here have it as source too; the plan lets that in where a range holds the node. */
function keepsNodeOut({ kind, address, sourceRanges }: VirtualAddress): boolean {
  return kind === "loadBalancer" && sourceRanges !== undefined && !sourceRanges.includes(hostRange(address));
}
