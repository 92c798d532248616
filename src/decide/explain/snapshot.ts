/**
 * What `explain` looks at: the objects of a cluster at one moment, and what is known of how it is set up. Plain data, so that it can
 * come from a client, from files, from an older revision, or be made up in a test; and nothing here needs Node.
 */
import type { KubeObject } from "../../api/object.ts";
import type {
  Deployment,
  EndpointSlice,
  Event,
  Ingress,
  IngressClass,
  Namespace,
  NetworkPolicy,
  Node,
  Pod,
  Service,
  ServiceCIDR,
  StatefulSet,
} from "../../api/types.ts";
import type { GatewayClass, GatewayObject, GrpcRoute, HttpRoute, ListenerSet, ReferenceGrant } from "../routes/gateway-api/objects.ts";

export interface Snapshot {
  readonly namespaces: readonly Namespace[];
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  readonly ingresses: readonly Ingress[];
  readonly ingressClasses: readonly IngressClass[];
  readonly networkPolicies: readonly NetworkPolicy[];
  readonly serviceCIDRs: readonly ServiceCIDR[];
  readonly deployments: readonly Deployment[];
  readonly statefulSets: readonly StatefulSet[];
  readonly events: readonly Event[];
  readonly gatewayClasses: readonly GatewayClass[];
  readonly gateways: readonly GatewayObject[];
  readonly listenerSets: readonly ListenerSet[];
  readonly httpRoutes: readonly HttpRoute[];
  readonly grpcRoutes: readonly GrpcRoute[];
  readonly referenceGrants: readonly ReferenceGrant[];
  readonly config: SnapshotConfig;
}

export type ProxyMode = "nftables" | "iptables" | "ipvs" | "userspace";

export interface SnapshotConfig {
  /** Undefined: not known; the plan is then explained without the rules of a mode. */
  readonly proxyMode: ProxyMode | undefined;
  /** `cluster.local` */
  readonly clusterDomain: string;
  /** Of the `kubernetes` directive. */
  readonly dnsPods: "disabled" | "insecure" | "verified";
  /** Search domains of the nodes, which the kubelet puts behind those of the cluster. */
  readonly nodeSearches: readonly string[];
  /** Where pods are, for nodes that do not say it; who is within counts as a pod. */
  readonly podCIDRs: readonly string[];
  /** Where Services are, besides what ServiceCIDRs say. */
  readonly serviceCIDRs: readonly string[];
  /** `ignored`: nothing in this cluster enforces NetworkPolicies; `unknown`: counted as enforced, and said. */
  readonly networkPolicy: "enforced" | "ignored" | "unknown";
  /** `fairlead`: our gateway serves, also Ingresses without a class and those written for ingress-nginx; `unknown`: classes alone say who does. */
  readonly gateway: "fairlead" | "unknown";
  /** `dump`: objects with a status, as an API gives them. `manifests`: what people write; `assume` filled in what a cluster would. */
  readonly origin: "dump" | "manifests";
  /** What could not be read, by name: `Pod: forbidden`. An answer that depends on it says so. */
  readonly unread: readonly Unread[];
  /** What `assume` took for granted, each a sentence. */
  readonly assumed: readonly string[];
}

export interface Unread {
  /** `Pod` */
  readonly kind: string;
  /** `forbidden`, `not served`, … */
  readonly why: string;
}

export const defaultConfig: SnapshotConfig = {
  proxyMode: undefined,
  clusterDomain: "cluster.local",
  dnsPods: "insecure",
  nodeSearches: [],
  podCIDRs: [],
  serviceCIDRs: [],
  networkPolicy: "unknown",
  gateway: "unknown",
  origin: "dump",
  unread: [],
  assumed: [],
};

/** Which object: `{ kind: "Service", namespace: "shop", name: "web" }`; namespace is absent for cluster-scoped kinds. */
export interface ObjectRef {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

export function refOf(kind: string, { metadata }: Pick<KubeObject, "metadata">): ObjectRef {
  const { namespace, name = "" } = metadata;
  return { kind, ...(namespace === undefined || namespace === "" ? {} : { namespace }), name };
}

/** `Service shop/web` */
export function refText({ kind, namespace, name }: ObjectRef): string {
  return `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
}

/** List of a Snapshot → kind of its objects. */
export const snapshotKinds = {
  namespaces: "Namespace",
  nodes: "Node",
  pods: "Pod",
  services: "Service",
  endpointSlices: "EndpointSlice",
  ingresses: "Ingress",
  ingressClasses: "IngressClass",
  networkPolicies: "NetworkPolicy",
  serviceCIDRs: "ServiceCIDR",
  deployments: "Deployment",
  statefulSets: "StatefulSet",
  events: "Event",
  gatewayClasses: "GatewayClass",
  gateways: "Gateway",
  listenerSets: "ListenerSet",
  httpRoutes: "HTTPRoute",
  grpcRoutes: "GRPCRoute",
  referenceGrants: "ReferenceGrant",
} as const satisfies Readonly<Record<Exclude<keyof Snapshot, "config">, string>>;

export type SnapshotList = keyof typeof snapshotKinds;

const clusterScoped: ReadonlySet<string> = new Set(["Namespace", "Node", "IngressClass", "ServiceCIDR", "GatewayClass"]);

/** Objects of any kinds, in any order; those that nobody asks about are left out, and a namespace that is not said is `default`. */
export function snapshotOf(objects: readonly KubeObject[], config: Partial<SnapshotConfig> = {}): Snapshot {
  const byKind = Map.groupBy(objects, ({ kind = "" }) => kind);
  const lists = Object.entries(snapshotKinds).map(([list, kind]) => {
    const found = byKind.get(kind) ?? [];
    return [list, clusterScoped.has(kind) ? found : found.map(namespaced)];
  });
  return { ...(Object.fromEntries(lists) as Omit<Snapshot, "config">), config: { ...defaultConfig, ...config } };
}

function namespaced(object: KubeObject): KubeObject {
  const { metadata } = object;
  return metadata.namespace === undefined ? { ...object, metadata: { ...metadata, namespace: "default" } } : object;
}
