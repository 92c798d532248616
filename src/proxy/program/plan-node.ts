/**
 * This node as the plan sees it, from its Node object, the machine's own addresses and the settings (upstream `detectNodeIPs` and
 * `getLocalDetectors` in cmd/kube-proxy/app, pkg/proxy/util/nodeport_addresses.go). Pure.
 */
import type { Node } from "../../api/types.ts";
import { selectNodePortAddresses, type PlanNode } from "../../decide/proxy/index.ts";
import { parseIp, type IpFamily } from "../../lib/ip.ts";
import type { ProxySettings } from "../configuration/settings.ts";

export interface NodeFacts {
  readonly name: string;
  /** Undefined: the cluster has no such Node (yet). */
  readonly node: Node | undefined;
  /** Every address of this machine's interfaces, loopback among them. */
  readonly localAddresses: readonly string[];
}

type NodeSettings = Pick<ProxySettings, "mode" | "detectLocal" | "nodePortAddresses" | "bindAddress" | "localhostNodePorts">;

export function planNodeOf({ name, node, localAddresses }: NodeFacts, settings: NodeSettings): PlanNode {
  const { detectLocal, mode, bindAddress, localhostNodePorts } = settings;
  const primary = primaryAddresses(node, bindAddress);
  const localhost = mode === "iptables" && localhostNodePorts;
  const wantsPrimary = settings.nodePortAddresses.includes("primary");
  return {
    name,
    labels: node?.metadata.labels ?? {},
    addresses: [...new Set([...localAddresses.filter((text) => !isLoopback(text)), ...primary])],
    nodePortAddresses: selectNodePortAddresses({
      // Where nothing says which is the primary one, all are, as upstream.
      cidrs: wantsPrimary ? [] : settings.nodePortAddresses,
      addresses: localAddresses,
      primary,
      whenEmpty: wantsPrimary && primary.length > 0 ? "primary" : "all",
      localhost,
    }).filter((text) => localhost || !isLoopback(text)),
    clusterCIDRs: detectLocal.kind === "ClusterCIDR" ? detectLocal.cidrs : detectLocal.kind === "NodeCIDR" ? podCIDRs(node) : [],
    ...podInterface(detectLocal),
  };
}

function podInterface(detectLocal: ProxySettings["detectLocal"]): Pick<PlanNode, "podInterface"> {
  switch (detectLocal.kind) {
    case "BridgeInterface":
      return { podInterface: { name: detectLocal.name, prefix: false } };
    case "InterfaceNamePrefix":
      return { podInterface: { name: detectLocal.prefix, prefix: true } };
    case "ClusterCIDR":
    case "NodeCIDR":
      return {};
    default:
      return detectLocal satisfies never;
  }
}

/** Of each family one: `--bind-address` first, then the Node's InternalIPs, then its ExternalIPs (`GetNodeHostIPs`). */
function primaryAddresses(node: Node | undefined, bindAddress: string | undefined): readonly string[] {
  const ofType = (type: string) => (node?.status?.addresses ?? []).flatMap((one) => (one.type === type ? [one.address] : []));
  const byFamily = new Map<IpFamily, string>();
  for (const text of [...(bindAddress === undefined ? [] : [bindAddress]), ...ofType("InternalIP"), ...ofType("ExternalIP")]) {
    const family = parseIp(text)?.family;
    if (family !== undefined && !byFamily.has(family)) byFamily.set(family, text);
  }
  return [...byFamily.values()];
}

const podCIDRs = (node: Node | undefined): readonly string[] =>
  node?.spec?.podCIDRs ?? (node?.spec?.podCIDR === undefined ? [] : [node.spec.podCIDR]);

const isLoopback = (text: string) => text.startsWith("127.") || text === "::1";

/** By which the cluster autoscaler says that it is about to take a node away. */
const toBeDeleted = "ToBeDeletedByClusterAutoscaler";

/** Whether load balancers should send here (KEP-3836): not to a node that is gone or going. */
export function isEligible(node: Node | undefined): boolean {
  return (
    node !== undefined && node.metadata.deletionTimestamp === undefined && !(node.spec?.taints ?? []).some(({ key }) => key === toBeDeleted)
  );
}
