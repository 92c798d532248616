/** Which part of the cluster's pod range each node has (kube-controller-manager's `--node-cidr-mask-size`). Pure. */
import { FairleadError } from "../../lib/errors.ts";
import { cidrAddress, familyBits, formatCidr, parseCidr } from "../../lib/ip.ts";

/** Upstream's defaults, per family. */
const nodeBits = { 4: 24, 6: 64 } as const;

/**
 * The ranges of node `index` (from 1), in the cluster's order of families: node-1 has the first part. A range of the cluster that
 * is smaller than a node's is its only node's as it is. `maskSize` is for IPv4. Throws FL_USAGE where there is no room.
 */
export function nodePodCIDRs(podCIDRs: readonly string[], index: number, maskSize?: number): readonly string[] {
  return podCIDRs.map((text) => {
    const cluster = parseCidr(text);
    if (cluster === undefined) throw new FairleadError("FL_USAGE", `${text} is no address range`);
    const bits = cluster.family === 4 && maskSize !== undefined ? maskSize : Math.max(nodeBits[cluster.family], cluster.bits);
    if (bits < cluster.bits || index > 2 ** (bits - cluster.bits))
      throw new FairleadError("FL_USAGE", `the pods' range ${text} has no room for a /${bits} of node-${index}`, {
        hint: "Give a larger --pod-network-cidr, or smaller nodes by --node-cidr-mask-size.",
      });
    const size = 1n << BigInt(familyBits(cluster.family) - bits);
    return formatCidr({ family: cluster.family, base: cidrAddress(cluster, size * BigInt(index - 1)).value, bits });
  });
}
