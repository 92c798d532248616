/**
 * The way in: where programs on the host find the cluster's Services. Each node has an address on the host, with its NodePorts; each
 * load balancer one of its own. A client costs one hop in this process, which decides by the same plan as the nodes; from
 * there a socket inside the cluster's network goes to the endpoint. ClusterIPs are not served: from outside they do not exist.
 */
import type { EndpointSlice, Service } from "../api/types.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import type { InformerFactory } from "../client/informer.ts";
import type { Component } from "../component/component.ts";
import type { ServicePlan } from "../decide/proxy/index.ts";
import { planLoadBalancer, planNodePorts } from "../decide/proxy/way-in.ts";
import type { Clock } from "../lib/clock.ts";
import { cidrContains, parseCidr, parseIp, type Cidr } from "../lib/ip.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import { createProxy, type ProxyStatus } from "../proxy/proxy.ts";
import type { CarriedConnections } from "../proxy/backends/backend.ts";
import type { Transport } from "../proxy/transport.ts";
import { namespaceTransport, type Place } from "./way-in-transport.ts";

export interface WayInContext {
  readonly informers: InformerFactory;
  /** Of pods and nodes: clients from there are none of the host's. */
  readonly clusterCIDRs: readonly string[];
  readonly fabric: Place;
  readonly recorder?: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
}

export interface NodePlace {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly network: Place;
  /** Its address on the host. */
  readonly hostAddress: string;
}

export interface WayIn extends Component {
  /** The port at which the host finds `port` of `address`: that port, a stand-in for it, or undefined when nothing listens. */
  listensAt(address: string, port: number): number | undefined;
  /** What a person should know, as sentences: stand-ins, ports taken by others. */
  limits(): readonly string[];
  traffic(): readonly CarriedConnections[];
  /** Every change seen so far is live. */
  settled(): Promise<void>;
}

/** The NodePorts of one node. */
export function createNodeWayIn(node: NodePlace, context: WayInContext): WayIn {
  const { name, labels, hostAddress, network } = node;
  const entrance = { name, labels, hostAddress, clusterCIDRs: context.clusterCIDRs };
  return wayIn(`way-in-${name}`, hostAddress, context, {
    planner: (service, slices) => planNodePorts(service, slices, entrance),
    transport: namespaceTransport({ node: () => network, fabric: context.fabric }),
  });
}

export interface LoadBalancerOptions {
  /** From which the controller gives addresses. */
  readonly cidr: string;
  /** All nodes, with their pods' ranges and own addresses; asked for each connection, so that nodes may come and go. */
  readonly nodes: () => readonly { readonly network: Place; readonly cidrs: readonly string[] }[];
}

/** The load balancers' addresses. */
export function createLoadBalancerWayIn({ cidr, nodes }: LoadBalancerOptions, context: WayInContext): WayIn {
  const { clusterCIDRs, fabric } = context;
  const nodeOf = nodeFinder(nodes);
  return wayIn("way-in", cidr, context, {
    planner: (service, slices) => planLoadBalancer(service, slices, { cidr, clusterCIDRs }),
    transport: namespaceTransport({ node: (ip) => nodeOf(ip) ?? fabric, fabric }),
  });
}

/** Finds the node that has an address; for one outside of the cluster, any. What a node's ranges mean is read once. */
function nodeFinder(nodes: LoadBalancerOptions["nodes"]): (ip: string) => Place | undefined {
  const ranges = new Map<string, Cidr | undefined>();
  const rangeOf = (text: string) => {
    if (!ranges.has(text)) ranges.set(text, parseCidr(text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`));
    return ranges.get(text);
  };
  return (ip) => {
    const address = parseIp(ip);
    const has = (text: string) => {
      const range = rangeOf(text);
      return address !== undefined && range !== undefined && cidrContains(range, address);
    };
    const all = nodes();
    return (all.find(({ cidrs }) => cidrs.some(has)) ?? all[0])?.network;
  };
}

interface Parts {
  readonly planner: (service: Service, slices: readonly EndpointSlice[]) => ServicePlan;
  readonly transport: Transport;
}

function wayIn(name: string, address: string, context: WayInContext, { planner, transport }: Parts): WayIn {
  const { informers, recorder, clock, log, metrics } = context;
  const proxy = createProxy({
    informers,
    node: { name, addresses: [], nodePortAddresses: [] },
    planner,
    transport,
    clock,
    log: log.child("way-in", { address }),
    metrics,
    ...(recorder === undefined ? {} : { recorder }),
  });
  const problems = (): ProxyStatus["problems"] => proxy.status().problems.filter(({ severity }) => severity === "warning");
  return {
    name,
    start: () => proxy.start(),
    stop: () => proxy.stop(),
    ready: () => proxy.ready(),
    listensAt(at, port) {
      const problem = proxy.status().problems.find((one) => one.address === at && one.port === port);
      return problem === undefined ? port : problem.standIn;
    },
    limits: () => problems().map(({ service, message }) => `Service ${service}: ${message}`),
    traffic: () => proxy.traffic(),
    settled: () => proxy.settled(),
  };
}
