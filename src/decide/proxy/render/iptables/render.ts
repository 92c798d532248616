/**
 * Renders a plan as the rules of kube-proxy's iptables mode, one address family at a time. Pure; a Service whose plan is the
 * same object as before is not rendered again (see `IptablesCache`), so that a change costs its own chains and the lines that it
 * has in the shared ones.
 */
import { parseCidr, type IpFamily } from "../../../../lib/ip.ts";
import type { FamilyEndpoints, PlanNode, PlannedService, ServicePlan } from "../../plan.ts";
import { comment, forwardChain, jump, jumpRules, kube, localnetChains, masqueradeChains, rule, type LayoutOptions } from "./layout.ts";
import { portRules, type PortRules, type PortRulesOptions } from "./port-rules.ts";
import type { Chain, IptablesRules, Match, Rule } from "./rules.ts";

/** More endpoints than these: a large cluster, whose endpoints' rules have no comments (upstream `largeClusterEndpointsThreshold`). */
export const largeClusterEndpoints = 1000;

export interface IptablesOptions {
  readonly family: IpFamily;
  readonly node: Pick<PlanNode, "nodePortAddresses" | "clusterCIDRs" | "podInterface">;
  /** Without `--nodeport-addresses` every address of the node takes NodePorts, as upstream; else those of the node in the plan. */
  readonly nodePortsEverywhere?: boolean;
  /** `--iptables-localhost-nodeports`; IPv4 only. Default: false. */
  readonly localhostNodePorts?: boolean;
  /** `--iptables-masquerade-bit`; default 14. */
  readonly masqueradeBit?: number;
  /** Whether this iptables knows `MASQUERADE --random-fully` (1.6.2 and later). */
  readonly randomFully?: boolean;
  /** `nf_conntrack_tcp_be_liberal` is set. */
  readonly conntrackTcpLiberal?: boolean;
}

/** What a port became; by plan object, which is frozen. Of one set of options only. */
export type IptablesCache = WeakMap<PlannedService, { readonly endpointComments: boolean; readonly ports: readonly PortRules[] }>;

export function renderIptables(
  services: readonly ServicePlan[],
  options: IptablesOptions,
  cache: IptablesCache = new WeakMap(),
): IptablesRules {
  const { family } = options;
  const portOptions = portOptionsOf(services, options);
  const layout: LayoutOptions = {
    masqueradeBits: 2 ** (options.masqueradeBit ?? 14),
    randomFully: options.randomFully === true,
    dropInvalid: options.conntrackTcpLiberal !== true,
    localhostNodePorts: options.localhostNodePorts === true && family === 4,
    pods: portOptions.pods,
  };
  const ports: PortRules[] = [];
  const health: Rule[] = [];
  for (const service of services) {
    if (!isPlanned(service)) continue;
    for (const port of cached(service, portOptions, cache)) ports.push(port);
    if (service.healthCheck !== undefined) health.push(...healthCheckRules(service, family));
  }
  return {
    family,
    jumps: jumpRules(layout),
    tables: { filter: { shared: filterChains(ports, health, layout), services: [] }, nat: natTable(ports, layout, options) },
  };
}

/** Fills the cache a Service at a time, so that whoever renders a large cluster can pause between them. */
export function* renderAhead(services: readonly ServicePlan[], options: IptablesOptions, cache: IptablesCache): Generator<undefined> {
  const portOptions = portOptionsOf(services, options);
  for (const service of services) {
    if (!isPlanned(service) || cache.get(service)?.endpointComments === portOptions.endpointComments) continue;
    cached(service, portOptions, cache);
    yield;
  }
}

const isPlanned = (service: ServicePlan): service is PlannedService => service.kind === "service";

function portOptionsOf(services: readonly ServicePlan[], { family, node }: IptablesOptions): PortRulesOptions {
  const cidrs = (node.clusterCIDRs ?? []).filter((text) => parseCidr(text)?.family === family);
  const pods: readonly Match[] =
    node.podInterface === undefined ? cidrs.map((cidr) => ({ kind: "source", cidr })) : [{ kind: "fromInterface", ...node.podInterface }];
  return { family, pods, endpointComments: !isLarge(services, family) };
}

function cached(service: PlannedService, options: PortRulesOptions, cache: IptablesCache): readonly PortRules[] {
  const known = cache.get(service);
  if (known?.endpointComments === options.endpointComments) return known.ports;
  const ports = service.ports.map((port) => portRules(port, options));
  cache.set(service, { endpointComments: options.endpointComments, ports });
  return ports;
}

/** Counts no further than it must. */
function isLarge(services: readonly ServicePlan[], family: IpFamily): boolean {
  let count = 0;
  for (const service of services) {
    if (!isPlanned(service)) continue;
    for (const { endpoints } of service.ports) {
      for (const set of endpoints) if (set.family === family) count += usable(set);
    }
    if (count > largeClusterEndpoints) return true;
  }
  return false;
}

function usable({ cluster, local }: FamilyEndpoints): number {
  return cluster.length === 0 || local.length === 0 ? cluster.length + local.length : new Set([...cluster, ...local]).size;
}

/** The load balancer's question where endpoints are is let in, whatever else INPUT says. One per port, as upstream. */
function healthCheckRules({ namespace, name, ports, healthCheck }: PlannedService, family: IpFamily): readonly Rule[] {
  if (healthCheck === undefined) return [];
  const here = ports.filter(({ addresses }) => addresses.some((address) => address.family === family));
  return here.map(({ servicePort: { port } }) =>
    rule(
      { kind: "accept" },
      comment(`${namespace}/${name}${port === "" ? "" : `:${port}`} health check node port`),
      { kind: "protocol", protocol: "tcp" },
      { kind: "destinationPort", port: healthCheck.port },
    ),
  );
}

function filterChains(ports: readonly PortRules[], health: readonly Rule[], layout: LayoutOptions): readonly Chain[] {
  const of = (chain: keyof PortRules["filter"]) => gathered(ports, ({ filter }) => filter[chain]);
  return [
    { name: kube.services, rules: of("services") },
    { name: kube.externalServices, rules: of("externalServices") },
    forwardChain(layout),
    { name: kube.nodePorts, rules: health },
    { name: kube.firewall, rules: of("firewall") },
    ...localnetChains(layout),
  ];
}

function natTable(ports: readonly PortRules[], layout: LayoutOptions, options: IptablesOptions): IptablesRules["tables"]["nat"] {
  const services = gathered(ports, ({ nat }) => nat.services);
  const shared = [
    { name: kube.services, rules: [...services, ...nodePortJumps(options, layout)] },
    { name: kube.nodePorts, rules: gathered(ports, ({ nat }) => nat.nodePorts) },
    ...masqueradeChains(layout),
  ];
  return { shared, services: ports.map(({ own }) => own) };
}

/** Of every port of the cluster, at each change: `flatMap` takes several times as long. */
function gathered(ports: readonly PortRules[], rulesOf: (port: PortRules) => readonly Rule[]): readonly Rule[] {
  const all: Rule[] = [];
  for (const port of ports) for (const one of rulesOf(port)) all.push(one);
  return all;
}

/** Last in KUBE-SERVICES: an address of a Service's own wins over a NodePort that is open on it. */
function nodePortJumps({ family, node, nodePortsEverywhere }: IptablesOptions, { localhostNodePorts }: LayoutOptions): readonly Rule[] {
  const last = comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain");
  const to = (...matches: readonly Match[]) => rule(jump(kube.nodePorts), last, ...matches);
  const loopback = family === 4 ? "127.0.0.0/8" : "::1/128";
  if (nodePortsEverywhere === true) {
    // NodePorts at ::1 never work; at 127.0.0.1 only where the kernel is told to route it.
    const but: readonly Match[] = localhostNodePorts ? [] : [{ kind: "destination", cidr: loopback, negated: true }];
    return [to({ kind: "localAddress", side: "destination" }, ...but)];
  }
  const isLoopback = (text: string) => text.startsWith("127.") || text === "::1";
  return node.nodePortAddresses
    .filter((text) => text.includes(":") === (family === 6) && (localhostNodePorts || !isLoopback(text)))
    .map((cidr) => to({ kind: "destination", cidr }));
}
