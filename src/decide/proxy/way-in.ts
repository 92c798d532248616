/**
 * What the hop on the host does with a client of a NodePort or of a load balancer: the plan of kube-proxy, cut to the addresses
 * that the host has. The nodes' own plans serve everything inside. Pure.
 */
import type { EndpointSlice, Service } from "../../api/types.ts";
import { deepFreeze } from "../../lib/freeze.ts";
import { cidrContains, parseCidr, parseIp, type Cidr } from "../../lib/ip.ts";
import type { ServicePlan, VirtualAddress } from "./plan.ts";
import { planService } from "./service.ts";

export interface NodeEntrance {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The node's address on the host, where its NodePorts are. */
  readonly hostAddress: string;
  readonly clusterCIDRs: readonly string[];
}

/** A node's NodePorts. Whoever comes by the host is outside of the cluster. */
export function planNodePorts(service: Service, slices: readonly EndpointSlice[], node: NodeEntrance): ServicePlan {
  const { name, labels, hostAddress, clusterCIDRs } = node;
  const address = standInFor(hostAddress, service);
  const plan = planService(service, slices, { name, labels, addresses: [], nodePortAddresses: [address], clusterCIDRs });
  return only(plan, ({ kind }) => kind === "nodePort", hostAddress);
}

/** The load balancer's name as a node: no real one can have it. */
const everywhere = "*";

/**
 * A load balancer's addresses. It sends to nodes, and by policy Local only to those that have an endpoint; what a node then does
 * with its share comes to the same as one node on which all endpoints are. Addresses with `ipMode: Proxy` are served
 * here and nowhere else (KEP-1860).
 */
export function planLoadBalancer(
  service: Service,
  slices: readonly EndpointSlice[],
  entrance: { readonly cidr: string; readonly clusterCIDRs: readonly string[] },
): ServicePlan {
  const range = parseCidr(entrance.cidr);
  const node = { name: everywhere, addresses: [], nodePortAddresses: [], clusterCIDRs: entrance.clusterCIDRs };
  const ingress = (service.status?.loadBalancer?.ingress ?? []).filter(({ ip }) => isIn(range, ip ?? ""));
  const plans = ingress.map(({ ip = "" }) => {
    const status = { loadBalancer: { ingress: [{ ip: standInFor(ip, service) }] } };
    const plan = planService({ ...service, status }, slices.map(asOneNode), node, { loadBalancerIPMode: false });
    return only(plan, ({ kind }) => kind === "loadBalancer", ip);
  });
  const [first, ...others] = plans;
  if (first === undefined) return only(planService(service, [], node), () => false, "");
  return others.reduce(merge, first);
}

function isIn(range: Cidr | undefined, text: string): boolean {
  const ip = parseIp(text);
  return range !== undefined && ip !== undefined && cidrContains(range, ip);
}

function asOneNode(slice: EndpointSlice): EndpointSlice {
  const here = slice.endpoints?.map((endpoint) => (endpoint.nodeName === undefined ? endpoint : { ...endpoint, nodeName: everywhere }));
  return here === undefined ? slice : { ...slice, endpoints: here };
}

/** The hop joins two connections, so it may have an address of one family and endpoints of the other: it is planned as one of theirs. */
function standInFor(address: string, { spec }: Service): string {
  const [family = "IPv4"] = spec?.ipFamilies ?? [];
  const own = address.includes(":") ? "IPv6" : "IPv4";
  if ((spec?.ipFamilies ?? [family]).includes(own)) return address;
  return family === "IPv6" ? "100::" : "192.0.2.1";
}

/** Leaves the addresses that `keep` holds of; they become `address`, and whoever comes there comes from outside. */
function only(plan: ServicePlan, keep: (address: VirtualAddress) => boolean, address: string): ServicePlan {
  if (plan.kind === "skipped") return plan;
  const { healthCheck: _, ...rest } = plan;
  const atHost = (old: VirtualAddress): VirtualAddress => {
    const { external } = old.verdicts;
    return { ...old, address, verdicts: { pod: external, node: external, external } };
  };
  const ports = plan.ports.map((port) => ({ ...port, addresses: port.addresses.filter(keep).map(atHost) }));
  return deepFreeze({ ...rest, ports: ports.filter(({ addresses }) => addresses.length > 0) });
}

/** Two plans of one Service that differ in their addresses. */
function merge(a: ServicePlan, b: ServicePlan): ServicePlan {
  if (a.kind === "skipped" || b.kind === "skipped") return a;
  const ports = a.ports.map((port, i) => ({ ...port, addresses: [...port.addresses, ...(b.ports[i]?.addresses ?? [])] }));
  return deepFreeze({ ...a, ports });
}
