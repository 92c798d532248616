/** What kind of sender an address is for the plan, and which of a node's addresses take NodePorts. */
import { cidrContains, isLoopback, parseCidr, parseIp, type Cidr, type Ip } from "../../lib/ip.ts";
import type { PlanNode, SourceClass } from "./plan.ts";

/** Parses what a packet needs once per node, not once per packet. */
export function sourceClassifier(node: PlanNode): (from: Ip, text: string, by?: string) => SourceClass {
  const pods = (node.clusterCIDRs ?? []).flatMap((text) => parseCidr(text) ?? []);
  const own = new Set(node.addresses);
  const { podInterface } = node;
  if (podInterface !== undefined) {
    const { name, prefix } = podInterface;
    return (_, text, by = "") => ((prefix ? by.startsWith(name) : by === name) ? "pod" : own.has(text) ? "node" : "external");
  }
  return (from, text) => {
    // Pods first: upstream asks its local traffic detector before it looks for the node's own addresses.
    if (pods.some((cidr) => cidrContains(cidr, from))) return "pod";
    return own.has(text) ? "node" : "external";
  };
}

export interface NodePortSelection {
  /** CIDRs of `--nodeport-addresses`; `primary` stands for the node's own address per family; none: see `whenEmpty`. */
  readonly cidrs: readonly string[];
  readonly addresses: readonly string[];
  readonly primary: readonly string[];
  /** Without CIDRs nftables mode opens the primary addresses, iptables mode all. */
  readonly whenEmpty: "primary" | "all";
  /** Whether 127.0.0.0/8 may be among all (iptables' `--iptables-localhost-nodeports`). Never ::1, as upstream. */
  readonly localhost?: boolean;
}

/** The addresses that take NodePorts (upstream pkg/proxy/util/nodeport_addresses.go and `--nodeport-addresses`). */
export function selectNodePortAddresses({ cidrs, addresses, primary, whenEmpty, localhost = false }: NodePortSelection): readonly string[] {
  if (cidrs.length === 0) return whenEmpty === "primary" ? [...primary] : addresses.filter((text) => mayTakeNodePorts(text, localhost));
  const blocks = cidrs.flatMap((text): Cidr[] => {
    const cidr = parseCidr(text);
    return cidr === undefined ? [] : [cidr];
  });
  const named = addresses.filter((text) => {
    const ip = parseIp(text);
    return ip !== undefined && blocks.some((cidr) => cidrContains(cidr, ip));
  });
  return [...new Set([...(cidrs.includes("primary") ? primary : []), ...named])];
}

function mayTakeNodePorts(text: string, localhost: boolean): boolean {
  const ip = parseIp(text);
  if (ip === undefined) return false;
  return !isLoopback(ip) || (localhost && ip.family === 4);
}
