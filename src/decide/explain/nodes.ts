/** What a Node object says of the node's network: where it is, and where its pods are. */
import type { Node } from "../../api/types.ts";
import { parseIp } from "../../lib/ip.ts";
import { selectNodePortAddresses } from "../proxy/node.ts";
import type { PlanNode } from "../proxy/plan.ts";
import type { SnapshotConfig } from "./snapshot.ts";

export function addressesOfNode({ status }: Node): readonly string[] {
  return (status?.addresses ?? []).flatMap(({ type, address }) => (type !== "Hostname" && parseIp(address) !== undefined ? [address] : []));
}

export function podCIDRsOf({ spec }: Node): readonly string[] {
  return spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR]);
}

/** The node as the proxy plans for it. Undefined: some node of which nothing is known. */
export function planNodeOf(node: Node | undefined, { podCIDRs }: Pick<SnapshotConfig, "podCIDRs">): PlanNode {
  const addresses = node === undefined ? [] : addressesOfNode(node);
  return {
    name: node?.metadata.name ?? "",
    labels: node?.metadata.labels ?? {},
    addresses,
    nodePortAddresses: selectNodePortAddresses({ cidrs: [], addresses, primary: addresses, whenEmpty: "primary" }),
    clusterCIDRs: podCIDRs.length > 0 || node === undefined ? podCIDRs : podCIDRsOf(node),
  };
}

export function isNodeReady({ status }: Node): boolean {
  return status?.conditions?.find(({ type }) => type === "Ready")?.status !== "False";
}
