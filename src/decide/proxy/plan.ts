/**
 * The ProxyPlan: everything that a proxy backend must know, decided. Frozen plain data with `kind` tags, so that it can be
 * written to a file, compared and traced. Verdicts are decided here once; a backend renders them and decides nothing.
 */
import type { IpFamily } from "../../lib/ip.ts";
import type { LeftOutReason, SkipReason } from "./reasons.ts";
import type { Traffic } from "./traffic.ts";

export type Protocol = "TCP" | "UDP" | "SCTP";

/** What the plan knows about the node for which it is made. */
export interface PlanNode {
  readonly name: string;
  /** The node's labels; of these the zone (`topology.kubernetes.io/zone`) counts. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Every address of the node: a packet from one of these is the node's own. */
  readonly addresses: readonly string[];
  /** Where NodePorts are open: addresses of the node (`selectNodePortAddresses` picks them from CIDRs). */
  readonly nodePortAddresses: readonly string[];
  /** Where pods are (`--cluster-cidr`); empty: it cannot be told whether a client is a pod. */
  readonly clusterCIDRs?: readonly string[];
  /** Pods are whoever comes by this interface, or by those whose names begin so (`--detect-local-mode`). */
  readonly podInterface?: PodInterface;
}

export interface PodInterface {
  readonly name: string;
  readonly prefix: boolean;
}

export interface PlanOptions {
  /** Masquerade everything that goes to a cluster IP (`--masquerade-all`). */
  readonly masqueradeAll?: boolean;
  /** Only Services with this `service.kubernetes.io/service-proxy-name`; default: those without the label. */
  readonly serviceProxyName?: string;
  /** False: as before the graduation of KEP-1669, terminating endpoints are never used. */
  readonly terminatingEndpoints?: boolean;
  /** False: as before the graduation of KEP-1860, `ipMode: Proxy` does not keep an ingress address out. */
  readonly loadBalancerIPMode?: boolean;
  /** False: `spec.externalIPs` are not served (feature gate AllowServiceExternalIPs). */
  readonly externalIPs?: boolean;
  /** Labels of other nodes, for the annotation `fairlead.dev/topology-keys`; undefined: not known. */
  readonly labelsOf?: (nodeName: string) => Readonly<Record<string, string>> | undefined;
}

export interface PlanEndpoint {
  readonly kind: "endpoint";
  readonly ip: string;
  readonly port: number;
  readonly local: boolean;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly nodeName?: string;
  /** `Pod shop/web-1`, where the slice names what stands behind. */
  readonly target?: string;
  /** Where the slice says it. */
  readonly zone?: string;
  readonly zoneHints?: readonly string[];
  readonly nodeHints?: readonly string[];
}

/** An endpoint that gets no new connections, and why. `policy`: by which of the two traffic policies, if not by both. */
export interface LeftOutEndpoint {
  readonly kind: "leftOut";
  readonly ip: string;
  readonly port: number;
  readonly reason: LeftOutReason;
  readonly policy?: "internal" | "external";
  readonly target?: string;
}

/** `ns/name:port`, or `ns/name` where the port has no name. With the protocol it is unique. */
export interface ServicePortName {
  readonly namespace: string;
  readonly name: string;
  readonly port: string;
}

export function servicePortText({ namespace, name, port }: ServicePortName): string {
  return port === "" ? `${namespace}/${name}` : `${namespace}/${name}:${port}`;
}

/** Who sends: a pod of this cluster (known only where `clusterCIDRs` is set), the node itself, anyone else. */
export type SourceClass = "pod" | "node" | "external";

/** Which of the two endpoint sets of a family. */
export type EndpointSet = "cluster" | "local";

export type Verdict =
  | { readonly kind: "dnat"; readonly to: EndpointSet; readonly masquerade: boolean }
  | { readonly kind: "reject"; readonly reason: "NoEndpoints" }
  | { readonly kind: "drop"; readonly reason: "NoLocalEndpoints" };

export interface VirtualAddress {
  readonly kind: "clusterIP" | "externalIP" | "loadBalancer" | "nodePort";
  readonly address: string;
  readonly port: number;
  readonly family: IpFamily;
  readonly verdicts: Readonly<Record<SourceClass, Verdict>>;
  /** CIDRs; other clients are dropped. Absent: everyone may come. */
  readonly sourceRanges?: readonly string[];
}

/** The endpoints of one address family, by policy. Both sets are in order of address and port. */
export interface FamilyEndpoints {
  readonly family: IpFamily;
  /** For traffic with policy Cluster; empty where none has it. */
  readonly cluster: readonly PlanEndpoint[];
  /** For traffic with policy Local; empty where none has it. */
  readonly local: readonly PlanEndpoint[];
  /** Whether any node can reach an endpoint: tells a refusal (none) from a drop (none here). */
  readonly hasAny: boolean;
}

export type Affinity = { readonly kind: "none" } | { readonly kind: "clientIP"; readonly timeoutSeconds: number };

export interface PortPlan {
  readonly kind: "port";
  readonly servicePort: ServicePortName;
  readonly protocol: Protocol;
  readonly port: number;
  readonly appProtocol?: string;
  readonly addresses: readonly VirtualAddress[];
  readonly endpoints: readonly FamilyEndpoints[];
  readonly affinity: Affinity;
  /** What the Service asks of userspace mode; absent: nothing. */
  readonly traffic?: Traffic;
  readonly internalTrafficPolicy: "Cluster" | "Local";
  readonly externalTrafficPolicy: "Cluster" | "Local";
  readonly leftOut: readonly LeftOutEndpoint[];
}

export interface PlannedService {
  readonly kind: "service";
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly PortPlan[];
  /** Answers whether this node has local endpoints (externalTrafficPolicy Local of a LoadBalancer). */
  readonly healthCheck?: { readonly port: number; readonly localEndpoints: number };
}

export interface SkippedService {
  readonly kind: "skipped";
  readonly namespace: string;
  readonly name: string;
  readonly reason: SkipReason;
}

export type ServicePlan = PlannedService | SkippedService;

export interface ProxyPlan {
  readonly kind: "plan";
  readonly node: PlanNode;
  /** In order of namespace and name. */
  readonly services: readonly ServicePlan[];
}

const noEndpoints: Omit<FamilyEndpoints, "family"> = { cluster: [], local: [], hasAny: false };

/** The endpoints of `family`; none where the port has none. */
export function endpointsOf(port: PortPlan, family: IpFamily): FamilyEndpoints {
  return port.endpoints.find((set) => set.family === family) ?? { family, ...noEndpoints };
}
