/** A packet to a virtual address: what the proxy of the client's node does with it, by the plan and by the rules of the cluster's mode. */
import type { EndpointSlice, Service } from "../../api/types.ts";
import { canonicalIp, joinHostPort, parseIp } from "../../lib/ip.ts";
import type { LeftOutEndpoint, PlannedService, PlanEndpoint, PlanNode, PortPlan, ServicePlan, VirtualAddress } from "../proxy/plan.ts";
import { proxyReasons } from "../proxy/reasons.ts";
import { planService } from "../proxy/service.ts";
import { trace, type Trace } from "../proxy/trace.ts";
import { planLoadBalancer } from "../proxy/way-in.ts";
import { podsBehind, emptyCause } from "./cause.ts";
import { addressFor } from "./client.ts";
import { deliver } from "./deliver.ts";
import type { Candidate } from "./explanation.ts";
import { planNodeOf } from "./nodes.ts";
import { proxyFault } from "./proxy-fault.ts";
import { readinessDetail } from "./readiness.ts";
import { matchingRule } from "./rules.ts";
import { refOf, type ObjectRef } from "./snapshot.ts";
import { listed, plural, step, type Outcome, type Proposal, type ServiceTarget, type Walk } from "./walk.ts";

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

/** Every endpoint and every pod that the selector means, each with its reason. */
function endpointCandidates(
  walk: Walk,
  { service, port }: ServiceTarget,
  plan: PortPlan,
  kept: readonly PlanEndpoint[],
  node: PlanNode,
): readonly Candidate[] {
  const { matching, selection } = podsBehind(walk.world, service);
  const seen = new Set(kept.map(({ ip, port: number }) => joinHostPort(ip, number)));
  const names = new Set<string>();
  const chosen = kept.map((endpoint): Candidate => {
    names.add(endpoint.target ?? "");
    const where = [
      endpoint.nodeName === undefined ? "" : `on ${endpoint.nodeName}`,
      endpoint.zone === undefined ? "" : `zone ${endpoint.zone}`,
    ];
    const state = endpoint.ready ? "Ready" : "TerminatingServing";
    return {
      kept: true,
      name: joinHostPort(endpoint.ip, endpoint.port),
      reason: state,
      detail: [endpoint.target ?? "", ...where].filter(Boolean).join(", "),
      ...targetRef(endpoint.target),
    };
  });
  const out = plan.leftOut
    .filter(({ ip, port: number }) => !seen.has(joinHostPort(ip, number)))
    .map((each): Candidate => {
      names.add(each.target ?? "");
      return {
        kept: false,
        name: joinHostPort(each.ip, each.port),
        reason: each.reason,
        detail: leftOutDetail(walk, each, kept, node),
        ...targetRef(each.target),
      };
    });
  const unlisted = matching.filter(({ metadata }) => !names.has(`Pod ${metadata.namespace}/${metadata.name}`));
  const others = unlisted.map((pod): Candidate => {
    const left = selection.leftOut.find((each) => each.pod === pod);
    const found = selection.endpoints.find((each) => each.pod === pod);
    const missing = selection.missingPorts
      .find((each) => each.pod === pod)
      ?.missing.some(({ servicePort }) => servicePort === (port.name ?? ""));
    const reason = left?.reason ?? (missing === true ? "NamedPortMissing" : (found?.reason ?? "NotReady"));
    return {
      kept: false,
      name: `${pod.metadata.name}`,
      reason,
      detail: left?.detail ?? readinessDetail(pod, reason),
      ref: refOf("Pod", pod),
    };
  });
  return [...chosen, ...dedupe(out), ...others];
}

/** One that both policies leave out is told once. */
function dedupe(candidates: readonly Candidate[]): readonly Candidate[] {
  return [...new Map(candidates.map((each) => [each.name, each])).values()];
}

function targetRef(target: string | undefined): { readonly ref?: ObjectRef } {
  const [, kind, namespace, name] = /^(\S+) ([^/]*)\/(.+)$/.exec(target ?? "") ?? [];
  return kind === undefined || namespace === undefined || name === undefined ? {} : { ref: { kind, namespace, name } };
}

function leftOutDetail({ world }: Walk, { reason, target, ip }: LeftOutEndpoint, kept: readonly PlanEndpoint[], node: PlanNode): string {
  const { ref } = targetRef(target);
  const who = target === undefined ? "" : `${target}: `;
  const pod = ref?.namespace === undefined ? undefined : world.pod(ref.namespace, ref.name);
  switch (reason) {
    case "NotReady":
    case "Terminating":
      return `${who}${pod === undefined ? proxyReasons[reason] : readinessDetail(pod, reason)}`;
    case "HintedForOtherZone": {
      const zone = node.labels?.["topology.kubernetes.io/zone"] ?? "";
      return `${who}${proxyReasons[reason]} (${plural(kept.length, "endpoint")} hinted for zone ${zone === "" ? "?" : zone})`;
    }
    case "InvalidAddress":
      return `${who}${JSON.stringify(ip)}: ${proxyReasons[reason]}`;
    default:
      return `${who}${proxyReasons[reason]}`;
  }
}

interface Whole extends ServiceTarget {
  readonly plan: PlannedService;
  readonly portPlan: PortPlan;
  readonly entrance: Entrance;
}

function refused(
  walk: Walk,
  whole: Whole,
  traced: Exclude<Trace, { kind: "dnat" }>,
  candidates: readonly Candidate[],
  node: PlanNode,
): Outcome {
  const { service, entrance } = whole;
  const id = `${service.metadata.namespace}/${service.metadata.name}`;
  const ref = refOf("Service", service);
  const end = (outcome: Outcome): Outcome => {
    step(walk, { kind: outcome.code === "SourceNotAllowed" ? "policy" : "endpoints", ok: false, ref, text: outcome.text, candidates });
    return outcome;
  };
  if (traced.kind === "none") return end(notServed(whole, id));
  switch (traced.reason) {
    case "SourceNotAllowed":
      return end(notAllowed(walk, whole, id));
    case "NoLocalEndpoints":
      return end(notLocal(whole, id, node));
    default: {
      const usable = whole.portPlan.leftOut.filter(({ reason }) => reason === "OtherTopology");
      if (usable.length > 0) return end(topology(service, id));
      return end(emptyCause(walk.world, whole));
    }
  }
  function notServed({ port }: Whole, name: string): Outcome {
    const family = parseIp(entrance.address)?.family === 6 ? "IPv6" : "IPv4";
    return { code: "NoClusterIP", text: `Service ${name} does not serve port ${port.port} at ${entrance.address} (${family})` };
  }
}

function notAllowed({ client }: Walk, { service, entrance }: Whole, id: string): Outcome {
  const ranges = service.spec?.loadBalancerSourceRanges ?? [];
  const from = addressFor(client, entrance.address);
  const to = [...ranges, `${from}/${from.includes(":") ? 128 : 32}`];
  const edit = { ref: refOf("Service", service), field: "spec.loadBalancerSourceRanges", from: ranges, to };
  const text = `Service ${id} drops ${from}: loadBalancerSourceRanges has ${listed(ranges)}`;
  return { code: "SourceNotAllowed", text, proposals: [{ text: `Put ${from} into loadBalancerSourceRanges of Service ${id}`, edit }] };
}

function notLocal({ service, portPlan, entrance }: Whole, id: string, node: PlanNode): Outcome {
  const internal = entrance.kind === "clusterIP";
  const field = internal ? "internalTrafficPolicy" : "externalTrafficPolicy";
  const elsewhere = portPlan.leftOut.filter(({ reason }) => reason === "NotLocal").length;
  const text = `Service ${id} has ${field} Local, and ${elsewhere === 0 ? "no" : `none of its ${plural(elsewhere, "ready endpoint")}`} is on node ${node.name}`;
  const edit = { ref: refOf("Service", service), field: `spec.${field}`, from: "Local", to: "Cluster" };
  const proposals: readonly Proposal[] = [
    { text: `Set ${field} of Service ${id} to Cluster`, edit },
    { text: `Run a pod of Service ${id} on each node that gets its traffic, such as by a DaemonSet` },
  ];
  return { code: "NoLocalEndpoints", text, proposals };
}

function topology(service: Service, id: string): Outcome {
  const field = "metadata.annotations[fairlead.dev/topology-keys]";
  const from = service.metadata.annotations?.["fairlead.dev/topology-keys"] ?? "";
  const edit = { ref: refOf("Service", service), field, from, to: `${from},*` };
  const text = `Service ${id}: the annotation fairlead.dev/topology-keys (${from}) leads to no ready endpoint from here`;
  return {
    code: "TopologyLeadsNowhere",
    text,
    proposals: [{ text: `End fairlead.dev/topology-keys of Service ${id} with *: any endpoint, if none is nearer`, edit }],
  };
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
