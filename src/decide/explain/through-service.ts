/** A packet to a virtual address: what the proxy of the client's node does with it, by the plan and by the rules of the cluster's mode. */
import type { EndpointSlice, Service } from "../../api/types.ts";
import { canonicalIp, joinHostPort } from "../../lib/ip.ts";
import type { PlanNode, PortPlan, ServicePlan, VirtualAddress } from "../proxy/plan.ts";
import { proxyReasons } from "../proxy/reasons.ts";
import { planService } from "../proxy/service.ts";
import { trace, type Trace } from "../proxy/trace.ts";
import { planLoadBalancer } from "../proxy/way-in.ts";
import { addressFor } from "./client.ts";
import { deliver } from "./deliver.ts";
import type { Candidate } from "./explanation.ts";
import { planNodeOf } from "./nodes.ts";
import { proxyFault } from "./proxy-fault.ts";
import { matchingRule } from "./rules.ts";
import { refOf } from "./snapshot.ts";
import { listed, plural, step, type Outcome, type ServiceTarget, type Walk } from "./walk.ts";
import { endpointCandidates } from "./endpoint-candidates.ts";
import { refused } from "./refused.ts";

export interface Entrance {
  readonly address: string;
  readonly port: number;
  readonly kind: VirtualAddress["kind"];
}

const words: Readonly<Record<VirtualAddress["kind"], string>> = {
  clusterIP: "cluster IP",
  externalIP: "external IP",
  loadBalancer: "load balancer",
  nodePort: "node port",
};

export function throughService(walk: Walk, target: ServiceTarget, entrance: Entrance): Outcome {
  const { client } = walk;
  const { service, port } = target;
  const { namespace = "", name = "" } = service.metadata;
  const ref = refOf("Service", service);
  const planned = planFor(walk, service, entrance);
  step(walk, { kind: "service", ok: planned.plan.kind === "service", ref, text: serviceText(target, entrance) });
  if (planned.plan.kind === "skipped") return skipped(planned.plan, service);
  const down = proxyFault(walk, planned.node.name);
  if (down !== undefined) return down;
  const portPlan = planned.plan.ports.find(
    (each) => each.servicePort.port === (port.name ?? "") && each.protocol === (port.protocol ?? "TCP"),
  );
  if (portPlan === undefined)
    return { code: "PortNotFound", text: `Service ${namespace}/${name} is not served at ${joinHostPort(entrance.address, entrance.port)}` };
  step(walk, { kind: "policy", ok: true, ref, text: policyText(portPlan, service, planned.node, entrance) });
  const packet = { from: addressFor(client, entrance.address), to: entrance.address, port: entrance.port, protocol: portPlan.protocol };
  const traced = trace({ kind: "plan", node: planned.node, services: [planned.plan] }, packet);
  const kept = traced.kind === "dnat" ? traced.endpoints.map(({ endpoint }) => endpoint) : [];
  const candidates = endpointCandidates(walk, target, portPlan, kept, planned.node);
  const whole = { ...target, plan: planned.plan, portPlan, entrance };
  if (traced.kind !== "dnat") return refused(walk, whole, traced, candidates, planned.node);
  step(walk, { kind: "endpoints", ok: true, ref, text: keptText(kept.length, candidates, service), candidates });
  ruleStep(walk, planned, packet, traced);
  return deliver(walk, kept, portPlan.protocol, target);
}

interface Planned {
  readonly plan: ServicePlan;
  readonly node: PlanNode;
}

/** The plan of the node whose proxy sees the packet first. */
function planFor({ world, client }: Walk, service: Service, { address, kind }: Entrance): Planned {
  const { config, nodes } = world.snapshot;
  const slices = world.slicesOf(service.metadata.namespace ?? "", service.metadata.name ?? "");
  const byAddress = kind === "nodePort" && client.kind === "outside" ? world.nodesAt(address)[0] : undefined;
  const node = byAddress ?? (client.node === undefined ? nodes[0] : world.node(client.node));
  const planNode = planNodeOf(node, config);
  const labelsOf = (name: string) => world.node(name)?.metadata.labels;
  if (client.kind === "outside" && kind === "loadBalancer") return { plan: balanced(service, slices, address, planNode), node: planNode };
  // The node port of any node's address is one that this node's proxy must know as its own, to be seen by the trace.
  const own = kind === "nodePort" && client.kind !== "outside" ? { ...planNode, nodePortAddresses: [canonicalIp(address)] } : planNode;
  return { plan: planService(service, slices, own, { labelsOf }), node: own };
}

/** The load balancer sends to nodes that have an endpoint: together they are as one. */
function balanced(service: Service, slices: readonly EndpointSlice[], address: string, { clusterCIDRs = [] }: PlanNode): ServicePlan {
  return planLoadBalancer(service, slices, { cidr: `${address}/${address.includes(":") ? 128 : 32}`, clusterCIDRs });
}

function serviceText({ service, port }: ServiceTarget, { address, port: number, kind }: Entrance): string {
  const { namespace, name } = service.metadata;
  const named = port.name === undefined || port.name === "" ? "" : ` (${port.name})`;
  return `${joinHostPort(address, number)} is the ${words[kind]} of Service ${namespace}/${name}, port ${port.port}/${port.protocol ?? "TCP"}${named} → ${port.targetPort ?? port.port}`;
}

function skipped({ reason }: Extract<ServicePlan, { kind: "skipped" }>, service: Service): Outcome {
  const id = `${service.metadata.namespace}/${service.metadata.name}`;
  const text = `Service ${id}: ${proxyReasons[reason]}`;
  if (reason !== "OtherProxy") return { code: "NoClusterIP", text };
  const field = "metadata.labels[service.kubernetes.io/service-proxy-name]";
  const from = service.metadata.labels?.["service.kubernetes.io/service-proxy-name"];
  const edit = { ref: refOf("Service", service), field, from, to: undefined };
  return {
    code: "OtherProxy",
    text,
    proposals: [{ text: `Take the label service.kubernetes.io/service-proxy-name from Service ${id}`, edit }],
  };
}

function policyText(plan: PortPlan, { spec = {} }: Service, node: PlanNode, { kind }: Entrance): string {
  const zone = node.labels?.["topology.kubernetes.io/zone"];
  const policy =
    kind === "clusterIP" ? `internalTrafficPolicy ${plan.internalTrafficPolicy}` : `externalTrafficPolicy ${plan.externalTrafficPolicy}`;
  const where = node.name === "" ? "" : `, on node ${node.name}${zone === undefined ? "" : ` in zone ${zone}`}`;
  const spread = spec.trafficDistribution === undefined ? "" : `, trafficDistribution ${spec.trafficDistribution}`;
  const affinity =
    plan.affinity.kind === "none" ? "no session affinity" : `session affinity by client address for ${plan.affinity.timeoutSeconds} s`;
  return `${policy}${spread}, ${affinity}${where}`;
}

function keptText(kept: number, candidates: readonly Candidate[], { metadata, spec }: Service): string {
  const noun = Object.keys(spec?.selector ?? {}).length > 0 ? "pod" : "endpoint";
  return `${kept} of ${plural(candidates.length, noun)} of Service ${metadata.namespace}/${metadata.name} ${kept === 1 ? "gets" : "get"} new connections`;
}

/** The rules must say what the plan says; where they do not, that is a fault of ours, and said. */
function ruleStep(
  walk: Walk,
  { plan, node }: Planned,
  packet: Parameters<typeof trace>[1],
  traced: Extract<Trace, { kind: "dnat" }>,
): void {
  const { config, serviceCIDRs } = walk.world.snapshot;
  const masquerade = traced.endpoints.some((each) => each.masquerade)
    ? "masqueraded: the pod sees the node's address"
    : "the pod sees the client's address";
  if (config.proxyMode === undefined || config.proxyMode === "userspace" || walk.client.kind === "outside") {
    step(walk, { kind: "rule", ok: true, text: `one of ${plural(traced.endpoints.length, "endpoint")}, each as often; ${masquerade}` });
    return;
  }
  const ranges = [...serviceCIDRs.flatMap(({ spec }) => spec?.cidrs ?? []), ...config.serviceCIDRs];
  const found = matchingRule(config.proxyMode, { plans: [plan], node, packet, serviceCIDRs: ranges });
  if (found === undefined) return;
  const said = found.traced.kind === "dnat" ? found.traced.endpoints.map(({ ip, port }) => joinHostPort(ip, port)) : [found.traced.kind];
  const planned = traced.endpoints.map(({ endpoint }) => joinHostPort(endpoint.ip, endpoint.port));
  const agree = [...new Set(said)].toSorted().join() === [...new Set(planned)].toSorted().join();
  const text = `${config.proxyMode} on ${node.name}: ${found.rule}; one of ${plural(planned.length, "endpoint")}, each as often; ${masquerade}`;
  step(walk, { kind: "rule", ok: agree, text: agree ? text : `${text}; the rules say otherwise: ${listed(said)}` });
}
