/**
 * Where a packet that leaves the cluster goes on the host. Pure. The host's loopback is reached by one address only, the one
 * that stands for the host; whatever else would end there from here, though never meant it in the pod, is refused.
 */
import { cidrContains, isLinkLocal, isLoopback, parseCidr, parseIp, type Cidr, type Ip } from "../../lib/ip.ts";

export type EgressTarget =
  /** One after the other, until one answers. */
  | { readonly kind: "to"; readonly hosts: readonly string[]; readonly port: number }
  | { readonly kind: "refuse"; readonly reason: EgressRefusal };

export type EgressRefusal =
  /** No NAT was at work: somebody talks to the listener itself. */
  | "NoDestination"
  /** Loopback, unspecified, link-local, multicast: no address of one certain machine out there. */
  | "NotRoutable"
  /** An address of the cluster's ranges that nobody has. */
  | "ClusterAddress";

export interface EgressRules {
  /** The host as pods see it. */
  readonly hostAddresses: readonly string[];
  /** Pods, Services and nodes. */
  readonly clusterCIDRs: readonly string[];
}

/** What was learned of a packet's first destination, to what it means. */
export type EgressRouter = (original: { readonly address: string; readonly port: number } | undefined) => EgressTarget;

/** Everything outside: `0.0.0.0` and `::` connect to this machine; 100.64.0.0/10 and private ranges are the user's own networks. */
const unroutable = ["0.0.0.0/8", "224.0.0.0/3", "::/96", "::ffff:0:0/96", "64:ff9b::7f00:0/104", "ff00::/8"].flatMap(
  (text) => parseCidr(text) ?? [],
);

export function egressRouter({ hostAddresses, clusterCIDRs }: EgressRules): EgressRouter {
  const hosts = new Set(hostAddresses);
  const cluster = clusterCIDRs.flatMap((text): Cidr[] => {
    const cidr = parseCidr(text);
    return cidr === undefined ? [] : [cidr];
  });
  return (original) => {
    const ip = parseIp(original?.address ?? "");
    if (original === undefined || ip === undefined || original.port === 0) return { kind: "refuse", reason: "NoDestination" };
    const { address, port } = original;
    // A server on the host often listens in one family only: the other one is tried as well.
    if (hosts.has(address)) return { kind: "to", hosts: ip.family === 4 ? ["127.0.0.1", "::1"] : ["::1", "127.0.0.1"], port };
    if (!isRoutable(ip)) return { kind: "refuse", reason: "NotRoutable" };
    if (cluster.some((cidr) => cidrContains(cidr, ip))) return { kind: "refuse", reason: "ClusterAddress" };
    return { kind: "to", hosts: [address], port };
  };
}

function isRoutable(ip: Ip): boolean {
  return !isLoopback(ip) && !isLinkLocal(ip) && !unroutable.some((cidr) => cidrContains(cidr, ip));
}
