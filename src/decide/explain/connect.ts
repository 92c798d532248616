/** A connection to an address: whose address it is, and what becomes of the packet there. */
import type { Node, Service, ServicePort } from "../../api/types.ts";
import { canonicalIp, isLoopback, joinHostPort, parseIp } from "../../lib/ip.ts";
import type { Protocol, VirtualAddress } from "../proxy/plan.ts";
import { deliver } from "./deliver.ts";
import { nearest } from "./nearest.ts";
import { declaredPorts } from "./pod-fault.ts";
import { inRange } from "../proxy/service-info.ts";
import { refOf } from "./snapshot.ts";
import { throughService } from "./through-service.ts";
import { listed, step, type Outcome, type Proposal, type Walk } from "./walk.ts";

export interface Destination {
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
}

export function connect(walk: Walk, destination: Destination): Outcome {
  const { world } = walk;
  const { address } = destination;
  const services = world.servicesAt(address);
  if (services.length > 0) return toService(walk, services, destination);
  const [node] = world.nodesAt(address);
  if (node !== undefined) return toNode(walk, node, destination);
  if (world.podsAt(address).length > 0) return deliver(walk, [{ ip: canonicalIp(address), port: destination.port }], destination.protocol);
  return toNobody(walk, destination);
}

function toService(walk: Walk, services: readonly Service[], destination: Destination): Outcome {
  const { address, port, protocol } = destination;
  const matching = services.flatMap((service) => {
    const found = portsOf(service).find((each) => each.port === port && (each.protocol ?? "TCP") === protocol);
    return found === undefined ? [] : [{ service, port: found }];
  });
  const [first] = services as [Service];
  const [target] = matching;
  const refused = inside(walk, first, address);
  if (refused !== undefined) return refused;
  if (target === undefined) return noPort(walk, services, destination);
  if (matching.length > 1)
    return conflict(
      walk,
      matching.map(({ service }) => service),
      destination,
    );
  return throughService(walk, target, { address, port, kind: kindOf(target.service, address) });
}

const portsOf = ({ spec }: Service): readonly ServicePort[] => spec?.ports ?? [];

function kindOf({ spec, status }: Service, address: string): VirtualAddress["kind"] {
  const is = (text: string) => canonicalIp(text) === canonicalIp(address);
  if ((spec?.clusterIPs ?? [spec?.clusterIP ?? ""]).some(is)) return "clusterIP";
  return (status?.loadBalancer?.ingress ?? []).some(({ ip = "" }) => is(ip)) ? "loadBalancer" : "externalIP";
}

/** Cluster IPs exist in the rules of nodes only; in a cluster of one machine they may be addresses of its loopback. */
function inside(walk: Walk, service: Service, address: string): Outcome | undefined {
  if (walk.client.kind !== "outside" || kindOf(service, address) !== "clusterIP") return undefined;
  const ip = parseIp(address);
  if (ip !== undefined && isLoopback(ip)) return undefined;
  const id = `${service.metadata.namespace}/${service.metadata.name}`;
  const text = `${address} is the cluster IP of Service ${id}, which exists only inside the cluster`;
  step(walk, { kind: "service", ok: false, text, ref: refOf("Service", service) });
  return { code: "InternalAddress", text, proposals: waysIn(service) };
}

export function waysIn(service: Service): readonly Proposal[] {
  const { status } = service;
  const id = `${service.metadata.namespace}/${service.metadata.name}`;
  const [balancer] = status?.loadBalancer?.ingress ?? [];
  if (balancer?.ip !== undefined) {
    const [port] = portsOf(service);
    const target = joinHostPort(balancer.ip, port?.port ?? 80);
    return [{ text: `Ask for its load balancer, ${target}`, ask: { target } }];
  }
  const nodePort = portsOf(service).find((port) => (port.nodePort ?? 0) > 0)?.nodePort;
  if (nodePort !== undefined) return [{ text: `Ask a node at port ${nodePort}` }];
  return [{ text: `Make Service ${id} of type NodePort or LoadBalancer, or write an Ingress for it` }];
}

function noPort(walk: Walk, services: readonly Service[], { address, port, protocol }: Destination): Outcome {
  const [service] = services as [Service];
  const ports = services.flatMap(portsOf);
  const names = services.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const ref = refOf("Service", service);
  const has = listed(ports.map((each) => `${each.port}/${each.protocol ?? "TCP"}`));
  const other = ports.find((each) => each.port === port);
  if (other !== undefined) {
    const index = portsOf(service).indexOf(other);
    const text = `Service ${listed(names)} has port ${port} for ${other.protocol ?? "TCP"}, not for ${protocol}`;
    step(walk, { kind: "service", ok: false, text, ref });
    const edit = { ref, field: `spec.ports[${index}].protocol`, from: other.protocol ?? "TCP", to: protocol };
    return {
      code: "ProtocolMismatch",
      text,
      proposals: [{ text: `Set the protocol of port ${port} of Service ${names[0]} to ${protocol}`, edit }],
    };
  }
  const text = `Service ${listed(names)} has no port ${port}/${protocol}: it has ${has}`;
  step(walk, { kind: "service", ok: false, text, ref });
  return { code: "PortNotFound", text, proposals: portProposals(walk, service, address, port) };
}

/** Who asks for the container's port most likely wants the Service's port in front of it. */
function portProposals({ question }: Walk, service: Service, address: string, port: number): readonly Proposal[] {
  const ports = portsOf(service);
  const meant = ports.toSorted((a, b) => Number(b.targetPort === port) - Number(a.targetPort === port));
  const asks = meant.slice(0, 3).map((each): Proposal => {
    const target = withPort(question.target, each.port) ?? joinHostPort(address, each.port);
    return {
      text: `Ask for port ${each.port}${each.targetPort === port ? `, which leads to port ${port} of the pods` : ""}`,
      ask: { target },
    };
  });
  const id = `${service.metadata.namespace}/${service.metadata.name}`;
  const [only] = ports;
  if (ports.length !== 1 || only === undefined) return asks;
  const edit = { ref: refOf("Service", service), field: "spec.ports[0].port", from: only.port, to: port };
  return [...asks, { text: `Set port of Service ${id} to ${port}`, edit }];
}

/** The same target at another port: `http://web:81/a` → `http://web:80/a`. */
export function withPort(target: string, port: number): string | undefined {
  const url = /^(https?:\/\/)([^/?#:]+|\[[^\]]+\])(?::\d+)?(.*)$/i.exec(target);
  if (url !== null) return `${url[1]}${url[2]}:${port}${url[3]}`;
  const place = /^([^:[\]]+|\[[^\]]+\])(?::\d+)?((?:\/\w+)?)$/.exec(target);
  return place === null || /^(?:svc|service|services)\//.test(target) ? undefined : `${place[1]}:${port}${place[2]}`;
}

function conflict(walk: Walk, services: readonly Service[], { address, port }: Destination): Outcome {
  const names = services.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).toSorted();
  const text = `${joinHostPort(address, port)} belongs to ${listed(names)}: which one gets the connection is a matter of luck`;
  step(walk, { kind: "service", ok: false, text });
  return {
    code: "AddressConflict",
    text,
    proposals: names.slice(1).map((name) => ({ text: `Give Service ${name} another address or port` })),
  };
}

function toNode(walk: Walk, node: Node, destination: Destination): Outcome {
  const { port, protocol, address } = destination;
  const name = node.metadata.name ?? "";
  const services = walk.world.servicesWithNodePort(port);
  for (const service of services) {
    const found = portsOf(service).find((each) => each.nodePort === port && (each.protocol ?? "TCP") === protocol);
    if (found !== undefined) return throughService(walk, { service, port: found }, { address, port, kind: "nodePort" });
  }
  const pods = walk.world.snapshot.pods.filter((pod) => pod.spec?.nodeName === name && opensOnNode(pod, port));
  const [pod] = pods;
  if (pod !== undefined) {
    step(walk, {
      kind: "pod",
      ok: true,
      text: `pod ${pod.metadata.namespace}/${pod.metadata.name} has port ${port} of node ${name}`,
      ref: refOf("Pod", pod),
    });
    return {
      code: "Reachable",
      text: `pod ${pod.metadata.namespace}/${pod.metadata.name} has port ${port} of node ${name}`,
      endpoints: [joinHostPort(address, port)],
    };
  }
  if (port < nodePortRange.first || port > nodePortRange.last) {
    const text = `port ${port} of node ${name} is no Service's: a program of the node may have it`;
    step(walk, { kind: "service", ok: true, text, ref: refOf("Node", node) });
    return { code: "LeavesCluster", text };
  }
  return nodePortUnknown(walk, node, destination, services);
}

/** Upstream's default of `--service-node-port-range`. */
const nodePortRange = { first: 30_000, last: 32_767 };

function opensOnNode(pod: Walk["world"]["snapshot"]["pods"][number], port: number): boolean {
  const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  return ports.some(({ hostPort }) => hostPort === port) || (pod.spec?.hostNetwork === true && declaredPorts(pod, "TCP").includes(port));
}

function nodePortUnknown(walk: Walk, node: Node, { address, port, protocol }: Destination, otherwise: readonly Service[]): Outcome {
  const all = walk.world.snapshot.services.flatMap((service) => portsOf(service).flatMap(({ nodePort }) => nodePort ?? []));
  const why =
    otherwise.length > 0
      ? `Service ${otherwise[0]?.metadata.namespace}/${otherwise[0]?.metadata.name} has it for another protocol`
      : `the Services have ${listed([...new Set(all)].toSorted((a, b) => a - b).map(String))}`;
  const text = `no Service has node port ${port}/${protocol}: ${why}`;
  step(walk, { kind: "service", ok: false, text, ref: refOf("Node", node) });
  const proposals = nearest(String(port), all.map(String)).map((near): Proposal => {
    const target = joinHostPort(address, Number(near));
    return { text: `Ask for ${target}`, ask: { target } };
  });
  return { code: "NodePortUnknown", text, proposals };
}

function toNobody(walk: Walk, { address, port }: Destination): Outcome {
  const { serviceCIDRs, config } = walk.world.snapshot;
  const ranges = [...serviceCIDRs.flatMap(({ spec }) => spec?.cidrs ?? []), ...config.serviceCIDRs];
  if (ranges.some((range) => inRange(range, address))) {
    const text = `${address} is in the Services' range ${ranges.find((range) => inRange(range, address))} and belongs to no Service`;
    step(walk, { kind: "service", ok: false, text });
    return {
      code: "AddressUnknown",
      text,
      proposals: [{ text: "Ask for the Service by its name: addresses change when a Service is made anew" }],
    };
  }
  const podRanges = [...config.podCIDRs, ...walk.world.snapshot.nodes.flatMap(({ spec }) => spec?.podCIDRs ?? spec?.podCIDR ?? [])];
  if (podRanges.some((range) => inRange(range, address))) {
    const text = `${address} is in the pods' range and no pod that runs has it`;
    step(walk, { kind: "pod", ok: false, text });
    return { code: "PodNotFound", text, proposals: [{ text: "Ask for a Service: a pod that is made anew has another address" }] };
  }
  const text = `${joinHostPort(address, port)} is none of the cluster's addresses`;
  step(walk, { kind: "service", ok: true, text });
  return { code: "LeavesCluster", text };
}
