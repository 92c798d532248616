/** The enforcer of NetworkPolicies in a node's namespace. */
import { adoptNetlink, NETLINK_NETFILTER } from "../../host/netlink/socket.ts";
import { openNftables } from "../../host/nftables/nftables.ts";
import type { NodeNetwork } from "../../host/namespaces/namespaces.ts";
import type { Libc } from "../../host/syscalls/libc.ts";
import type { IpFamily } from "../../lib/ip.ts";
import { createPolicyEnforcer, type PolicyEnforcer } from "../../networkpolicy/enforcer.ts";
import type { NodeContext } from "./network.ts";

export interface PolicyPlace {
  readonly network: NodeNetwork;
  readonly libc: Libc;
  readonly families: readonly IpFamily[];
  /** Where pods reach the built-in DNS. */
  readonly dnsAddresses: readonly string[];
}

/** Undefined: policies are not enforced (`../network-policies.ts` tells whoever makes one). */
export async function createNodePolicies(
  { network, libc, families, dnsAddresses }: PolicyPlace,
  { informers, wants, proxyMode, clock, log, metrics }: NodeContext,
): Promise<PolicyEnforcer | undefined> {
  if (!wants("networkpolicy") || proxyMode === "ipvs") return undefined;
  const nftables = openNftables(adoptNetlink(libc, await network.netlink(NETLINK_NETFILTER)));
  // Policies let pods ask the DNS server's pods, which the built-in one has none of.
  const dns = { key: "kube-system/kube-dns", namespace: "kube-system", labels: { "k8s-app": "kube-dns" }, addresses: dnsAddresses };
  const ports = (["UDP", "TCP"] as const).map((protocol) => ({ name: protocol === "UDP" ? "dns" : "dns-tcp", protocol, port: 53 }));
  const standIns = [{ ...dns, ports, node: "" }];
  return createPolicyEnforcer({ node: network.name, informers, nftables, families, standIns, clock, log, metrics });
}
