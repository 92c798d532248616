/**
 * In what the modes differ that somebody who uses a Service can notice, each with a code. A trait is asked for each mode; where the
 * answers differ, there is something to tell. What is the same in every mode (which endpoints, masquerading of pods, refusal where
 * there is no endpoint) is no trait. Sources: the renderers beside this folder, and upstream's documents on each mode.
 */
import { isLoopback, parseIp } from "../../../lib/ip.ts";
import type { PlannedService } from "../plan.ts";
import { ipvsSchedulers, type IpvsScheduler } from "../render/ipvs/state.ts";
import { loadBalancingAnnotation, perRequestAnnotation, proxyProtocolAnnotation, type Traffic } from "../traffic.ts";
import { ipvsAnswers, ipvsDeviations, type IpvsAnswer } from "./ipvs-answers.ts";

export const diffModes = ["iptables", "ipvs", "nftables", "userspace"] as const;
export type DiffMode = (typeof diffModes)[number];

export interface TraitContext {
  /** `--ipvs-scheduler`. */
  readonly scheduler: IpvsScheduler;
  /** `--nodeport-addresses` is given: then it decides in every mode. */
  readonly nodePortAddressesGiven: boolean;
  /** Whether ranges of pods are known. */
  readonly podsKnown: boolean;
}

export interface TraitValue {
  /** Completes "in mode ipvs …". */
  readonly text: string;
  /** How much of it there is: who gets less loses something. Equal: it is merely different. */
  readonly amount: number;
}

/** Undefined: the trait does not concern this Service. */
export type ServiceTrait = (mode: DiffMode, service: PlannedService, context: TraitContext) => TraitValue | undefined;
export type NodeTrait = (mode: DiffMode, context: TraitContext) => TraitValue | undefined;

const value = (text: string, amount: number): TraitValue => ({ text, amount });

const kinds = ({ ports }: PlannedService) => new Set(ports.flatMap(({ addresses }) => addresses.map(({ kind }) => kind)));
const isSticky = ({ ports }: PlannedService) => ports.some(({ affinity }) => affinity.kind === "clientIP");
const endpointCount = ({ ports }: PlannedService) =>
  Math.max(0, ...ports.flatMap(({ endpoints }) => endpoints.map(({ cluster, local }) => Math.max(cluster.length, local.length))));

const annotationsOf = ({ algorithm, proxyProtocol, perRequest }: Traffic): readonly string[] => [
  ...(algorithm === "round-robin" ? [] : [loadBalancingAnnotation]),
  ...(proxyProtocol === undefined ? [] : [proxyProtocolAnnotation]),
  ...(perRequest === undefined ? [] : [perRequestAnnotation]),
];

/** By the scheduler: what a client can count on besides an even share. */
const schedulerMerits: Partial<Record<IpvsScheduler, string>> = {
  lc: "new connections go where fewest are open",
  wlc: "new connections go where fewest are open",
  lblc: "new connections go where fewest are open",
  lblcr: "new connections go where fewest are open",
  sed: "new connections go where fewest are open",
  nq: "new connections go where none is open, if there is such an endpoint",
  ovf: "an endpoint is filled before the next is used",
  fo: "one endpoint is used as long as it is there",
  sh: "a client address always gets the same endpoint, also without sessionAffinity",
  dh: "all connections to one address get the same endpoint",
  mh: "a client's address and port always get the same endpoint",
};

export const serviceTraits = {
  Balancing(mode, service, { scheduler }) {
    // One endpoint is chosen in the same way by everybody.
    if (endpointCount(service) < 2) return undefined;
    if (mode === "ipvs") {
      const merit = schedulerMerits[scheduler];
      return value(
        `connections are given out by ${scheduler}, ${ipvsSchedulers[scheduler]}${merit === undefined ? "" : `: ${merit}`}`,
        merit === undefined ? 0 : 1,
      );
    }
    return value(mode === "userspace" ? "connections are given out in turn" : "the endpoint of each connection is drawn at random", 0);
  },
  Affinity(mode, service) {
    if (!isSticky(service)) return undefined;
    if (mode === "ipvs") return value("a client keeps its endpoint while it has connections, and for the time-out after", 3);
    if (mode === "nftables") return value("262,144 clients are remembered; the time-out starts anew with each connection", 2);
    if (mode === "userspace")
      return value("65,536 clients of a Service port are remembered; the time-out starts anew with each connection", 1);
    return value("100 clients of each endpoint are remembered (xt_recent ip_list_tot); others are drawn anew", 0);
  },
  NodePortAddresses(mode, service, { nodePortAddressesGiven }) {
    if (!kinds(service).has("nodePort") || nodePortAddressesGiven) return undefined;
    return mode === "nftables"
      ? value("NodePorts are open at the node's primary addresses only (--nodeport-addresses changes that)", 0)
      : value("NodePorts are open at every address of the node", 1);
  },
  NodePortLocalhost(mode, service) {
    if (!kinds(service).has("nodePort")) return undefined;
    return mode === "iptables" || mode === "userspace"
      ? value("a NodePort answers at 127.0.0.1 of its node", 1)
      : value("a NodePort does not answer at 127.0.0.1", 0);
  },
  ClusterIPPing(mode, service) {
    if (!kinds(service).has("clusterIP")) return undefined;
    return mode === "ipvs"
      ? value("the cluster IP answers ping, as it is an address of the node", 1)
      : value("the cluster IP does not answer ping", 0);
  },
  OtherPorts(mode, service) {
    if (!kinds(service).has("clusterIP")) return undefined;
    if (mode === "iptables") return value("a port of the cluster IP that the Service has not gets no answer", 0);
    return value("a port of the cluster IP that the Service has not is refused at once", 1);
  },
  ClientAddress(mode) {
    return mode === "userspace"
      ? value("endpoints see the node, never the client", 0)
      : value("endpoints see the client where its policy keeps the address", 1);
  },
  TrafficAnnotations(mode, service) {
    const asked = [...new Set(service.ports.flatMap(({ traffic }) => (traffic === undefined ? [] : annotationsOf(traffic))))].join(", ");
    if (asked === "") return undefined;
    return mode === "userspace" ? value(`honoured: ${asked}`, 1) : value(`without effect: ${asked}`, 0);
  },
  IdleConnections(mode, service) {
    const isTcp = service.ports.some(({ protocol }) => protocol === "TCP");
    if (!isTcp) return undefined;
    return mode === "ipvs"
      ? value("a TCP connection that is idle for 15 minutes is forgotten (--ipvs-tcp-timeout), and then reset", 0)
      : value("an idle TCP connection is kept for days (nf_conntrack_tcp_timeout_established), or as long as it is open", 1);
  },
  Sctp(mode, service) {
    if (!service.ports.some(({ protocol }) => protocol === "SCTP")) return undefined;
    return mode === "userspace" ? value("SCTP is not carried", 0) : value("SCTP is carried", 1);
  },
  LocalPolicyForAll: byIpvs("LocalPolicyForAll", 0),
  LocalPolicyFallsBack: byIpvs("LocalPolicyFallsBack", 0),
  LocalPolicyRefuses: byIpvs("LocalPolicyRefuses", 1),
  NodeKeepsAddress: byIpvs("NodeKeepsAddress", 0),
  NodeMasqueraded: byIpvs("NodeMasqueraded", 0),
  SourceRangesFirst: byIpvs("SourceRangesFirst", 0),
} as const satisfies Readonly<Record<string, ServiceTrait>>;

/** What the plan says instead. */
const planSays: Readonly<Record<IpvsAnswer, string>> = {
  LocalPolicyForAll: "policy Local counts for clients from outside; pods and the node itself reach every endpoint",
  LocalPolicyFallsBack: "policy Local without an endpoint here drops what comes from outside, so that a load balancer goes elsewhere",
  LocalPolicyRefuses: "internalTrafficPolicy Local without an endpoint here drops",
  NodeKeepsAddress: "the node's own connections to an address of policy Local are masqueraded",
  NodeMasqueraded: "the node's own connections to the cluster IP keep their address, as everybody's",
  LoopbackNodePort: "a NodePort at 127.0.0.1 is served",
  SourceRangesFirst: "without an endpoint everybody is refused, whatever loadBalancerSourceRanges say",
};

function byIpvs(code: IpvsAnswer, others: number): ServiceTrait {
  return (mode, service, { podsKnown }) => {
    const concerned = service.ports.some((port) =>
      port.addresses.some(
        (address) => !isLoopbackText(address.address) && ipvsDeviations(port, address, { podsKnown }).some((one) => one.code === code),
      ),
    );
    if (!concerned) return undefined;
    return mode === "ipvs" ? value(ipvsAnswers[code], 0) : value(planSays[code], others);
  };
}

function isLoopbackText(text: string): boolean {
  const ip = parseIp(text);
  return ip !== undefined && isLoopback(ip);
}

export const nodeTraits = {
  UnallocatedClusterIPs: (mode) =>
    mode === "nftables"
      ? value("an address of the Service range that no Service has is dropped", 0)
      : value("an address of the Service range that no Service has goes where routes lead", 0),
  FilterHooks: (mode) =>
    mode === "ipvs" || mode === "userspace"
      ? value("Service traffic passes the node's INPUT and OUTPUT: firewalls and network policies see it there", 0)
      : value("Service traffic passes the node's FORWARD, with the endpoint as its destination", 0),
  Link: (mode) =>
    mode === "ipvs"
      ? value(
          "every cluster IP, external IP and load balancer's address is on the link kube-ipvs0 (--ipvs-strict-arp for MetalLB and the like)",
          0,
        )
      : value("Service addresses are on no link; --ipvs-* flags do nothing", 0),
  Tools: (mode) => value(tools[mode], 0),
  Upstream: (mode) =>
    mode === "ipvs" ? value("it leaves Kubernetes: deprecated since 1.35, off by default in 1.40 (KEP-5495)", 0) : value("it stays", 1),
} as const satisfies Readonly<Record<string, NodeTrait>>;

const tools: Readonly<Record<DiffMode, string>> = {
  iptables: "to look at it: iptables-save",
  ipvs: "to look at it: ipvsadm -Ln, ipset list, ip addr show kube-ipvs0",
  nftables: "to look at it: nft list ruleset",
  userspace: "to look at it: ss -ltnu",
};

export type ServiceTraitCode = keyof typeof serviceTraits;
export type NodeTraitCode = keyof typeof nodeTraits;
