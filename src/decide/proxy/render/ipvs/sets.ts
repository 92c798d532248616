/** The ipsets of ipvs mode, by kube-proxy's names and comments (upstream pkg/proxy/ipvs/ipset.go). */
import type { IpFamily } from "../../../../lib/ip.ts";
import type { Protocol } from "../../plan.ts";

export type SetType = "hash:ip" | "hash:ip,port" | "hash:ip,port,ip" | "hash:ip,port,net" | "bitmap:port";

interface SetDefinition {
  readonly type: SetType;
  readonly comment: string;
}

const definition = (type: SetType, comment: string): SetDefinition => ({ type, comment });

export const ipvsSets = {
  "KUBE-LOOP-BACK": definition("hash:ip,port,ip", "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"),
  "KUBE-CLUSTER-IP": definition("hash:ip,port", "Kubernetes service cluster ip + port for masquerade purpose"),
  "KUBE-EXTERNAL-IP": definition("hash:ip,port", "Kubernetes service external ip + port for masquerade and filter purpose"),
  "KUBE-EXTERNAL-IP-LOCAL": definition("hash:ip,port", "Kubernetes service external ip + port with externalTrafficPolicy=local"),
  "KUBE-LOAD-BALANCER": definition("hash:ip,port", "Kubernetes service lb portal"),
  "KUBE-LOAD-BALANCER-LOCAL": definition("hash:ip,port", "Kubernetes service load balancer ip + port with externalTrafficPolicy=local"),
  "KUBE-LOAD-BALANCER-FW": definition("hash:ip,port", "Kubernetes service load balancer ip + port for load balancer with sourceRange"),
  "KUBE-LOAD-BALANCER-SOURCE-IP": definition(
    "hash:ip,port,ip",
    "Kubernetes service load balancer ip + port + source IP for packet filter purpose",
  ),
  "KUBE-LOAD-BALANCER-SOURCE-CIDR": definition(
    "hash:ip,port,net",
    "Kubernetes service load balancer ip + port + source cidr for packet filter purpose",
  ),
  "KUBE-NODE-PORT-TCP": definition("bitmap:port", "Kubernetes nodeport TCP port for masquerade purpose"),
  "KUBE-NODE-PORT-LOCAL-TCP": definition("bitmap:port", "Kubernetes nodeport TCP port with externalTrafficPolicy=local"),
  "KUBE-NODE-PORT-UDP": definition("bitmap:port", "Kubernetes nodeport UDP port for masquerade purpose"),
  "KUBE-NODE-PORT-LOCAL-UDP": definition("bitmap:port", "Kubernetes nodeport UDP port with externalTrafficPolicy=local"),
  "KUBE-NODE-PORT-SCTP-HASH": definition("hash:ip,port", "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'"),
  "KUBE-NODE-PORT-LOCAL-SCTP-HASH": definition(
    "hash:ip,port",
    "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'",
  ),
  "KUBE-HEALTH-CHECK-NODE-PORT": definition("bitmap:port", "Kubernetes health check node port"),
  "KUBE-IPVS-IPS": definition("hash:ip", "Addresses on the ipvs interface"),
} as const satisfies Readonly<Record<string, SetDefinition>>;

export type SetName = keyof typeof ipvsSets;

export const setNames = Object.keys(ipvsSets) as readonly SetName[];

/** A set has one name among both families; the kernel allows 31 characters (`IPSET_MAXNAMELEN`). */
export function kernelSetName(name: SetName, family: IpFamily): string {
  return family === 4 ? name : name.replace("KUBE-", "KUBE-6-").slice(0, 31);
}

/** A bitmap of ports cannot tell SCTP from TCP by itself and SCTP came late: its set has addresses too. */
export function nodePortSet(protocol: Protocol, local: boolean): SetName {
  if (protocol === "SCTP") return local ? "KUBE-NODE-PORT-LOCAL-SCTP-HASH" : "KUBE-NODE-PORT-SCTP-HASH";
  return local ? `KUBE-NODE-PORT-LOCAL-${protocol}` : `KUBE-NODE-PORT-${protocol}`;
}
