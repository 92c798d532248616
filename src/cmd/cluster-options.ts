/** What a cluster is made of, and what its owner can do with it. */
import type { Duplex } from "node:stream";
import type { AuditFiles } from "../apiserver/audit/options.ts";
import type { NodeAgent } from "../api/node-agent.ts";
import type { ClusterPaths } from "../cli/paths.ts";
import type { Client } from "../client/client.ts";
import type { InformerFactory } from "../client/informer.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { FunctionHandler } from "../kubelet/runtime/function/function-runtime.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { DnsQueryResult } from "./cluster-dns.ts";
import type { Interference } from "./interference.ts";
import type { ClusterMode, KernelProxyMode } from "./network/network.ts";

export type PodFunction = FunctionHandler;
export type { FunctionContext as PodFunctionContext } from "../kubelet/runtime/function/function-runtime.ts";
export type { ClusterMode } from "./network/network.ts";

/** What runs pods. Functions always live in this process, so their cluster is in loopback mode. */
export type ClusterRuntime =
  | { readonly kind: "process" }
  | { readonly kind: "function"; readonly functions: Readonly<Record<string, PodFunction>> };

export interface ClusterOptions {
  readonly name: string;
  readonly paths: ClusterPaths;
  readonly clock: Clock;
  readonly log: Logger;
  readonly runtime: ClusterRuntime;
  /** Default `loopback`. `namespaces` needs a process that was started for it. */
  readonly mode?: ClusterMode;
  /** Nodes and pods are on paper only: Running, Ready, and nowhere. `mode` and `runtime` have no effect. */
  readonly simulate?: boolean;
  /** How many nodes, `node-1` to `node-N`. Default 1. */
  readonly nodes?: number;
  /** Node name → its labels beside those that every node has. */
  readonly nodeLabels?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Of each node's IPv4 pod range; default 24. */
  readonly nodeCIDRMaskSize?: number;
  /** Of each node; default 110, as upstream's. */
  readonly maxPods?: number;
  /** Milliseconds without a sign of life after which a node counts as gone; default 50,000, as upstream's. Nodes give five signs in it. */
  readonly nodeMonitorGracePeriod?: number;
  /** What is written down about requests, and where. Default: nothing. */
  readonly audit?: AuditFiles;
  /** Of the nodes in namespaces mode; default nftables. */
  readonly proxyMode?: KernelProxyMode;
  /** Where images come from that have no program of this machine behind them; namespaces mode only. Default: nowhere. */
  readonly imageSources?: readonly string[];
  /** That serve Ingresses and Gateways and do nothing else. Default 0: this one does it too. */
  readonly gatewayThreads?: number;
  /** Default `sqlite`, in `paths.store`. */
  readonly storage?: "sqlite" | "memory";
  /** Default true: the API listens at once. Otherwise from the first call of `listen` on. */
  readonly listen?: boolean;
  /** Of the API, on 127.0.0.1; 0: any. A fixed one that is taken gives way to any. */
  readonly apiPort: number;
  readonly serviceClusterIPRange?: string;
  readonly serviceNodePortRange?: string;
  readonly podNetworkCIDR?: string;
  readonly clusterDNS?: string;
  readonly clusterDomain?: string;
  /** Names of controllers, or `dns`, `proxy`, `forward-proxy`, `kubelet`, `gateway`. */
  readonly disable: readonly string[];
  /** In-process clients exchange bytes instead of objects. */
  readonly encode?: boolean;
  /** Loopback mode: few addresses, so that hundreds of clusters have room on a machine. Default false. */
  readonly smallNetwork?: boolean;
  /** A test's faults. Default: none. */
  readonly interference?: Interference;
  /** Something without which the cluster cannot go on has failed: whoever owns it should stop it. */
  readonly onFailure?: (error: Error) => void;
}

export interface Cluster {
  readonly mode: ClusterMode;
  readonly client: Client;
  /** A client in this process that is authorized as this user. */
  clientOf(user: string, groups?: readonly string[]): Client;
  readonly informers: InformerFactory;
  /** Of the node that runs a pod; throws FL_UNSUPPORTED where nodes have no kubelet. */
  nodeAgent(nodeName: string): NodeAgent;
  /** `https://127.0.0.1:6443`; "" until it listens. */
  readonly server: string;
  readonly kubeconfig: string;
  readonly clusterDomain: string;
  /** Undefined until there is an Ingress. */
  readonly gateway: Gateway | undefined;
  /** The built-in DNS server; port 0: there is none. */
  readonly dnsServer: { readonly host: string; readonly port: number };
  /** The port at which the host finds this virtual address: that port, a stand-in for it, or undefined when nothing listens. */
  listensAt(address: string, port: number): number | undefined;
  /** What this mode cannot do for what was asked, as sentences. */
  limits(): readonly string[];
  /** Listens if it does not yet; gives the path of the kubeconfig. */
  listen(): Promise<string>;
  /** A connection as a client in namespace `default` gets it: `web`, `web.shop`, or an address. */
  connect(host: string, port: number): Promise<Duplex>;
  query(name: string, type: string): Promise<DnsQueryResult>;
  /** Every change seen so far is live in the proxy. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}
