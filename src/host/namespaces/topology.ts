/**
 * Which links, addresses, routes and neighbours make up the cluster's network, as messages to the kernel. Nothing here
 * sends: the thread enters a namespace and commits what these functions wrote.
 *
 *     pod eth0 ──veth── pod-N │ node │ eth0 ──veth── node-N │ fabric (router)
 *
 * No bridge: each end has one host route. Every next hop is a permanent neighbour with a known hardware address, so no
 * ARP, no neighbour discovery, no duplicate address detection, and no limit of a thousand neighbours. A pod's next hop is
 * 169.254.1.1 or fe80::1, addresses that nobody holds (as Calico does it).
 */
import { cidrAddress, cidrSize, formatIp, parseCidr } from "../../lib/ip.ts";
import * as route from "../netlink/route.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import { bytesOfIp } from "../syscalls/ip-bytes.ts";

/** The router's end of every link. A hardware address means something on its link only, so all can be alike. */
const routerMac = Uint8Array.of(0xee, 0xee, 0xee, 0xee, 0xee, 0xee);
const podGateway = { 4: "169.254.1.1", 6: "fe80::1" } as const;
const everything = { 4: "0.0.0.0/0", 6: "::/0" } as const;
const mtu = 1500;
/** `eth0`, in nodes and pods. */
export const uplinkIndex = 2;
const hostOffset = 254;
const systemOffset = 253;
export const maxNodes = systemOffset - 1;

/** What a namespace of ours is set to before it has any link but loopback. Names below /proc/sys. */
export function namespaceSettings(options: {
  readonly router: boolean;
  readonly ipv6: boolean;
  readonly root: boolean;
}): readonly (readonly [string, string])[] {
  const { router, ipv6, root } = options;
  return [
    ["net/ipv4/ip_unprivileged_port_start", "0"],
    // Unprivileged ping. Rootless, group 0 is the only one that exists in our user namespace.
    ["net/ipv4/ping_group_range", root ? "0 2147483647" : "0 0"],
    ...(router ? routerSettings.ipv4 : []),
    ...(ipv6 && router ? routerSettings.ipv6 : []),
  ];
}

const routerSettings = {
  ipv4: [
    ["net/ipv4/ip_forward", "1"],
    ["net/ipv4/conf/all/rp_filter", "0"],
    ["net/ipv4/conf/default/rp_filter", "0"],
    // A router that has told one client that there is no way tells the next one too.
    ["net/ipv4/icmp_ratelimit", "0"],
  ],
  ipv6: [
    ["net/ipv6/conf/all/forwarding", "1"],
    ["net/ipv6/icmp/ratelimit", "0"],
    // Of links that are made up at once; see `withoutOwnAddress`.
    ["net/ipv6/conf/default/addr_gen_mode", "1"],
  ],
} as const;

export interface FabricPlan {
  readonly hostAddresses: readonly string[];
  readonly systemAddresses: readonly string[];
}

/** Throws a RangeError for a block that has no room for the nodes. */
export function planFabric(nodeCIDRs: readonly string[]): FabricPlan {
  return {
    hostAddresses: nodeCIDRs.map((cidr) => nth(cidr, hostOffset)),
    systemAddresses: nodeCIDRs.map((cidr) => nth(cidr, systemOffset)),
  };
}

export function nodeAddresses(nodeCIDRs: readonly string[], index: number): readonly string[] {
  if (!Number.isInteger(index) || index < 1 || index > maxNodes) throw new RangeError(`node index ${index}: from 1 to ${maxNodes}`);
  return nodeCIDRs.map((cidr) => nth(cidr, index));
}

function nth(cidr: string, offset: number): string {
  const block = parseCidr(cidr);
  if (block === undefined) throw new RangeError(`no CIDR: ${cidr}`);
  if (cidrSize(block) < 256n) throw new RangeError(`${cidr}: nodes need at least 256 addresses`);
  return formatIp(cidrAddress(block, offset));
}

export function familyOf(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

export function writeLoopback(writer: NetlinkWriter, addresses: readonly string[]): void {
  route.setLinkUp(writer, route.loopbackIndex);
  for (const address of addresses) addOwnAddress(writer, address);
}

/** An address that the namespace answers to and never speaks from unless asked. */
export function addOwnAddress(writer: NetlinkWriter, address: string): void {
  route.addAddress(writer, { address, index: route.loopbackIndex, neverSource: true });
}

export function deleteOwnAddress(writer: NetlinkWriter, address: string): void {
  route.deleteAddress(writer, { address, index: route.loopbackIndex, neverSource: true });
}

export interface NodePlan {
  readonly index: number;
  readonly addresses: readonly string[];
  readonly podCIDRs: readonly string[];
  /** The node's link in the fabric. */
  readonly link: number;
}

/** In the fabric: the link to a node and the routes to what is behind it. */
export function writeFabricSide(writer: NetlinkWriter, fabric: FabricPlan, node: NodePlan, namespace: number): void {
  const mac = macOf(node.addresses);
  const peer = { name: "eth0", index: uplinkIndex, mac, namespace };
  route.addVeth(writer, { name: `node-${node.index}`, index: node.link, mac: routerMac, mtu, peer });
  // REDIRECT sends a packet to the first address of the link on which it came, and drops it where there is none.
  for (const address of fabric.hostAddresses) route.addAddress(writer, { address, index: node.link });
  for (const address of node.addresses) {
    route.addNeighbour(writer, { address, index: node.link, mac });
    route.addRoute(writer, { destination: single(address), index: node.link, ...sourceFor(fabric.hostAddresses, address) });
  }
  for (const cidr of node.podCIDRs) addFabricRoute(writer, fabric, node, cidr);
}

/** In the fabric: a way to `cidr` by way of the node. */
export function addFabricRoute(writer: NetlinkWriter, fabric: FabricPlan, node: NodePlan, cidr: string): void {
  const via = node.addresses.find((address) => familyOf(address) === familyOf(cidr));
  if (via !== undefined) route.addRoute(writer, { destination: cidr, index: node.link, via, ...sourceFor(fabric.hostAddresses, cidr) });
}

export function deleteFabricRoute(writer: NetlinkWriter, node: NodePlan, cidr: string): void {
  const via = node.addresses.find((address) => familyOf(address) === familyOf(cidr));
  if (via !== undefined) route.deleteRoute(writer, { destination: cidr, index: node.link, via });
}

/** In the fabric: the node is cut off. */
export function deleteNodeLink(writer: NetlinkWriter, node: NodePlan): void {
  route.deleteLink(writer, node.link);
}

/** In the node: its way to everything else. What is no pod of its own range goes nowhere, lest it bounce between the two routers. */
export function writeNodeSide(writer: NetlinkWriter, fabric: FabricPlan, node: NodePlan): void {
  route.setLinkUp(writer, route.loopbackIndex);
  setUplinkUp(writer, node.addresses);
  for (const address of node.addresses) route.addAddress(writer, { address, index: uplinkIndex });
  for (const via of fabric.hostAddresses) {
    route.addNeighbour(writer, { address: via, index: uplinkIndex, mac: routerMac });
    route.addRoute(writer, { destination: everything[familyOf(via)], index: uplinkIndex, via, ...sourceFor(node.addresses, via) });
  }
  for (const destination of node.podCIDRs) route.addRoute(writer, { destination });
}

export interface PodPlan {
  readonly addresses: readonly string[];
  /** The pod's link in the node. */
  readonly link: number;
}

/** In the node: the link to a pod and the routes to its addresses. */
export function writePodLink(writer: NetlinkWriter, node: NodePlan, pod: PodPlan, namespace: number): void {
  const mac = macOf(pod.addresses);
  const peer = { name: "eth0", index: uplinkIndex, mac, namespace };
  route.addVeth(writer, { name: `pod-${pod.link}`, index: pod.link, mac: routerMac, mtu, peer });
  for (const address of pod.addresses) {
    route.addNeighbour(writer, { address, index: pod.link, mac });
    route.addRoute(writer, { destination: single(address), index: pod.link, ...sourceFor(node.addresses, address) });
  }
}

/** In the node: nothing leads to the pod any more. A route that a new pod with the same address took over stays. */
export function deletePodRoutes(writer: NetlinkWriter, pod: PodPlan): void {
  for (const address of pod.addresses) route.deleteRoute(writer, { destination: single(address), index: pod.link });
}

/** In the pod. */
export function writePodSide(writer: NetlinkWriter, pod: PodPlan): void {
  route.setLinkUp(writer, route.loopbackIndex);
  setUplinkUp(writer, pod.addresses);
  for (const address of pod.addresses) {
    const via = podGateway[familyOf(address)];
    route.addAddress(writer, { address, index: uplinkIndex });
    route.addNeighbour(writer, { address: via, index: uplinkIndex, mac: routerMac });
    route.addRoute(writer, { destination: everything[familyOf(address)], index: uplinkIndex, via });
  }
}

function setUplinkUp(writer: NetlinkWriter, addresses: readonly string[]): void {
  if (addresses.some((address) => familyOf(address) === 6)) route.withoutOwnAddress(writer, uplinkIndex);
  route.setLinkUp(writer, uplinkIndex);
}

export function single(address: string): string {
  return `${address}/${familyOf(address) === 4 ? 32 : 128}`;
}

function sourceFor(own: readonly string[], destination: string): { readonly source?: string } {
  const source = own.find((address) => familyOf(address) === familyOf(destination));
  return source === undefined ? {} : { source };
}

/** Locally administered, from the address (as the CNI plugins do). */
function macOf(addresses: readonly string[]): Uint8Array {
  return Uint8Array.of(0x0a, 0x58, ...bytesOfIp(addresses[0] as string).slice(-4));
}
