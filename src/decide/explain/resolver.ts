/** How a pod's resolver turns a name into the names that it asks for (resolv.conf(5); Kubernetes "DNS for Services and Pods"; kubelet `pkg/kubelet/network/dns`). */
import type { Pod } from "../../api/types.ts";
import { absolute } from "../dns/name.ts";
import { usualNdots } from "../dns/top/ndots-advice.ts";
import type { FoundClient } from "./client.ts";
import type { SnapshotConfig } from "./snapshot.ts";

export interface Resolver {
  /** Whether it asks the cluster's DNS at all. */
  readonly cluster: boolean;
  /** Why not, or by what. */
  readonly why: string;
  readonly searches: readonly string[];
  readonly ndots: number;
}

export function resolverOf(client: FoundClient, config: SnapshotConfig): Resolver {
  if (client.kind === "outside") return { cluster: false, why: "a client outside does not ask the cluster's DNS", searches: [], ndots: 1 };
  if (client.kind === "node")
    return {
      cluster: false,
      why: "a program on a node asks the node's own resolver, not the cluster's DNS",
      searches: config.nodeSearches,
      ndots: 1,
    };
  const base = byPolicy(client, config);
  const { searches = [], options = [] } = client.pod?.spec?.dnsConfig ?? {};
  const ndots = options.find(({ name }) => name === "ndots")?.value;
  return {
    ...base,
    searches: [...new Set([...base.searches, ...searches])],
    ndots: ndots !== undefined && /^\d{1,2}$/.test(ndots) ? Number(ndots) : base.ndots,
  };
}

function byPolicy({ pod, namespace }: FoundClient, { clusterDomain, nodeSearches }: SnapshotConfig): Resolver {
  const { dnsPolicy = "ClusterFirst", hostNetwork = false, dnsConfig } = pod?.spec ?? {};
  const cluster: Resolver = {
    cluster: true,
    why: `dnsPolicy ${dnsPolicy}`,
    searches: [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain, ...nodeSearches],
    ndots: usualNdots,
  };
  if (dnsPolicy === "ClusterFirstWithHostNet" || (dnsPolicy === "ClusterFirst" && !hostNetwork)) return cluster;
  if (dnsPolicy === "None") {
    const servers = dnsConfig?.nameservers ?? [];
    // Which server that is cannot be told from the pod; whoever gives it cluster searches means the cluster's.
    const meant = (dnsConfig?.searches ?? []).some((search) => search.endsWith(clusterDomain));
    return { cluster: meant, why: `dnsPolicy None with name servers ${servers.join(", ") || "none"}`, searches: [], ndots: 1 };
  }
  const why =
    dnsPolicy === "ClusterFirst"
      ? "dnsPolicy ClusterFirst means the node's resolver for a pod with hostNetwork: ClusterFirstWithHostNet would be the cluster's DNS"
      : `dnsPolicy ${dnsPolicy} is the node's resolver`;
  return { cluster: false, why, searches: nodeSearches, ndots: 1 };
}

/** Absolute names, in the order in which they are asked (glibc: with enough dots the name as it is goes first). */
export function searchNames(name: string, { searches, ndots }: Resolver): readonly string[] {
  const whole = absolute(name);
  if (name.endsWith(".")) return [whole];
  const expanded = searches.map((domain) => absolute(`${name}.${domain}`));
  return [...new Set(dots(name) >= ndots ? [whole, ...expanded] : [...expanded, whole])];
}

const dots = (name: string): number => name.split(".").length - 1;

/** The field of a pod that would make it ask the cluster's DNS. */
export function clusterPolicyFor(pod: Pod): string {
  return pod.spec?.hostNetwork === true ? "ClusterFirstWithHostNet" : "ClusterFirst";
}
