/** What a proxy is made of: the cluster that it reads, the node that it serves, and what its mode needs there. */
import type { EndpointSlice, Service } from "../api/types.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import type { InformerFactory } from "../client/informer.ts";
import type { PlanNode, PlanOptions, ServicePlan } from "../decide/proxy/index.ts";
import type { Clock } from "../lib/clock.ts";
import type { IpFamily } from "../lib/ip.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import type { BackendMode } from "./backends/index.ts";
import type { InheritedListeners } from "./backends/inherited.ts";
import type { IptablesKernelOptions } from "./backends/iptables/apply.ts";
import type { IpvsBackendKernelOptions } from "./backends/ipvs/apply.ts";
import type { KernelOptions } from "./backends/nftables/apply.ts";
import type { Redirects } from "./backends/userspace/redirects.ts";
import type { OpenHttpPool } from "./http-pool.ts";
import type { ProxyHealth } from "./health/proxy-health.ts";
import type { ServiceHealthServers } from "./health/service-health.ts";
import type { Transport } from "./transport.ts";

export interface ProxyOptions {
  readonly informers: InformerFactory;
  readonly node: PlanNode;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** Component `kube-proxy`; absent: nothing is told by Events. */
  readonly recorder?: EventRecorder;
  /** Default `userspace`. */
  readonly mode?: BackendMode;
  readonly plan?: PlanOptions;
  /** In place of `planService` for this node: what serves only some of the addresses. */
  readonly planner?: (service: Service, slices: readonly EndpointSlice[]) => ServicePlan;
  /** All nodes, for Services that choose endpoints by nodes' labels; asked for when the first one comes. Default: `informers`. */
  readonly allNodes?: () => InformerFactory;
  /** How user space gets to endpoints. Default: from this host's network. */
  readonly transport?: Transport;
  /** Mode `userspace`: for virtual addresses that are not this host's. The proxy closes them when it stops. */
  readonly redirects?: Redirects;
  /** Mode `userspace`: for Services that ask for each request to be balanced. Absent: it is told that this cannot be had. */
  readonly openHttpPool?: OpenHttpPool;
  /** Mode `userspace`: of the proxy whose place this one takes. */
  readonly inherited?: InheritedListeners;
  /** Mode `nftables`: the sockets into the node's namespace. The proxy closes them when it stops. */
  readonly kernel?: KernelOptions;
  /** Mode `iptables`: the programs, in the node's namespace. */
  readonly iptables?: IptablesKernelOptions;
  /** Mode `ipvs`: the tables of the node's namespace, as `openIpvsKernel` opens them. The proxy closes them when it stops. */
  readonly ipvs?: IpvsBackendKernelOptions;
  /** Kernel modes: families at whose loopback address user space serves NodePorts. Default: none. */
  readonly localhostNodePorts?: readonly IpFamily[];
  /** Least time between two syncs (`--iptables-min-sync-period` and its like). Default 0. */
  readonly minSyncPeriodMs?: number;
  /** How often it is looked whether what was set up still stands (`--iptables-sync-period` and its like). Default 10 s. */
  readonly syncPeriodMs?: number;
  /** Is told of every change and every sync. */
  readonly health?: ProxyHealth;
  /** Behind `healthCheckNodePort`; the proxy stops them. Absent: nobody answers there. */
  readonly serviceHealth?: ServiceHealthServers;
}
