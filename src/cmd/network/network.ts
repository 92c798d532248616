/**
 * What a cluster stands on. Two kinds: *loopback* (all in the host's network, pods told apart by addresses in 127.0.0.0/8;
 * works everywhere) and *namespaces* (each node and pod is a network namespace; Linux with user namespaces, or root). The
 * rest of the program does not know which it is.
 */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { NodeAgent } from "../../api/node-agent.ts";
import type { Client } from "../../client/client.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { Manager } from "../../component/manager.ts";
import type { ApiServer } from "../../apiserver/server-options.ts";
import type { IgnoredField } from "../../kubelet/runtime/runtime.ts";
import type { Pod } from "../../api/types.ts";
import type { SocketSource } from "../../dns/server/listener.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import type { CarriedConnections } from "../../proxy/backends/backend.ts";
import type { UdpTarget } from "../../net/udp-relay.ts";
import type { MetricsRegistry } from "../../lib/metrics.ts";
import type { ClusterPaths } from "../../cli/paths.ts";
import type { ClusterDns } from "../cluster-dns.ts";

export type ClusterMode = "loopback" | "namespaces";

/** The addresses of a cluster: what options say, else what its network gives. Each list has one range per family, the first decides. */
export interface AddressPlan {
  readonly serviceCIDRs: readonly string[];
  readonly podCIDRs: readonly string[];
  readonly clusterDNS: string;
  readonly clusterDomain: string;
}

export type ReachedEndpoint = { readonly fd: number; readonly connected: boolean } | { readonly ip: string; readonly port: number };

export interface ClusterNetwork {
  readonly mode: ClusterMode;
  readonly defaults: Pick<AddressPlan, "serviceCIDRs" | "podCIDRs">;
  /** The built-in DNS server's own address, and who makes its sockets. */
  readonly dns: { readonly host: string; readonly sockets?: SocketSource };
  /** Names that the cluster's DNS knows beside its own: name → addresses. */
  readonly hosts: Readonly<Record<string, readonly string[]>>;
  /** Whether Endpoints may name addresses in 127.0.0.0/8. */
  readonly allowLoopbackEndpoints: boolean;
  /** Where pods reach the API server, if not where the host does. */
  readonly apiAddress?: { readonly host: string; readonly port: number };
  /** Opens the API server's listener there; the API server is started. */
  openApi?(server: ApiServer): Promise<void>;
  /** From which the LoadBalancer controller gives addresses. */
  readonly loadBalancerCIDR: string;
  /** From which Gateways (Gateway API) have their addresses. */
  readonly gatewayCIDR: string;
  /** Reaches an endpoint (a pod, a node, the host, or anything beyond), if not from the host's own network. */
  readonly connectEndpoint?: (ip: string, port: number, timeoutMs: number) => Promise<Socket>;
  /** The same for a thread of its own: a descriptor on its way there, or the address at which the host's network has it. */
  readonly reachEndpoint?: (ip: string, port: number) => Promise<ReachedEndpoint>;
  /** How datagrams of the host reach an endpoint, if not from the host's own network. */
  readonly udpTarget?: (endpoint: { readonly ip: string; readonly port: number }) => UdpTarget;
  /** What came through the addresses of load balancers, where they are no node's. */
  traffic?(): readonly CarriedConnections[];
  /** A pod's fields that have no effect in this mode. */
  ignoredFields(pod: Pod): readonly IgnoredField[];
  /** Starts what all nodes share, before the first. */
  startShared?(context: SharedContext): Promise<void>;
  /** Starts a node's parts, as components of the manager. */
  startNode(index: number, context: NodeContext): Promise<RunningNode>;
  /** Gives everything back, after the components have stopped. */
  release(): Promise<void>;
}

/** What every node's parts are made of. */
export interface SharedContext {
  readonly plan: AddressPlan;
  readonly manager: Manager;
  readonly informers: InformerFactory;
  readonly recorder: (component: string) => EventRecorder;
  readonly dns: ClusterDns | undefined;
  readonly paths: ClusterPaths;
  /** Resolves when no proxy leads new connections to the pod, or after a bounded time. */
  readonly outOfService: (pod: Pod) => Promise<void>;
  /** Whether a part is wanted: `proxy`, `kubelet`, `forward-proxy`. */
  readonly wants: (part: string) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
}

/** What carries Services in a network of the kernel's. */
export type KernelProxyMode = "nftables" | "iptables" | "ipvs";

export interface NodeContext extends SharedContext {
  /** The kubelet's. */
  readonly client: Client;
  readonly labels: Readonly<Record<string, string>>;
  /** At most this many pods; default the kubelet's. */
  readonly maxPods?: number;
  /** Of the node's Lease, in ms; default the kubelet's. */
  readonly heartbeatMs?: number;
  /** Default: the mode's own. */
  readonly proxyMode?: KernelProxyMode;
}

export interface RunningNode {
  readonly name: string;
  /** Absent: it runs without a kubelet. */
  readonly agent: NodeAgent | undefined;
  /** A connection as a pod in namespace `default` on this node gets it. Throws FL_CONNECT. */
  connect(host: string, port: number): Promise<Duplex>;
  /** The port at which the host finds this virtual address: that port, a stand-in for it, or undefined when nothing listens. */
  listensAt(address: string, port: number): number | undefined;
  /** What this mode cannot do for what was asked, as sentences. */
  limits(): readonly string[];
  /** What this process has carried for the node itself: in loopback mode all, else what came from the host. Absent: nothing. */
  traffic?(): readonly CarriedConnections[];
  /** Every change seen so far is live in the proxy. */
  settled(): Promise<void>;
  /** Pulls its plug, or puts it in again. Absent: it cannot be told apart from the machine. */
  power?(on: boolean): Promise<void>;
}
