/**
 * Objects as people write them, made into a Snapshot as a cluster would: addresses are given, templates become pods that run, endpoints
 * follow from the pods. What an object says of itself stays; so a dump passes unchanged. All that was taken for granted is listed.
 */
import type { KubeObject } from "../../api/object.ts";
import type {
  DaemonSet,
  Deployment,
  EndpointSlice,
  Node,
  Pod,
  PodTemplateSpec,
  ReplicaSet,
  Service,
  StatefulSet,
} from "../../api/types.ts";
import { resliced } from "./assume-slices.ts";
import { snapshotOf, type Snapshot, type SnapshotConfig } from "./snapshot.ts";
import { worldOf } from "./world.ts";

/** Pods of a template that stand for all of them: more would say nothing new. */
const mostReplicas = 10;
/** Where assumed things are: the usual ranges, which nothing else in manifests is likely to use. */
const ranges = { services: "10.96.", pods: "10.244.", balancers: "203.0.113." } as const;
const assumedNode = "any-node";

export function assume(objects: readonly KubeObject[], config: Partial<SnapshotConfig> = {}): Snapshot {
  const given = snapshotOf(objects, config);
  const isDump = [...given.services, ...given.pods].some(({ metadata }) => metadata.uid !== undefined);
  const notes: string[] = [];
  const nodes = given.nodes.length > 0 || isDump ? given.nodes : [nodeForAll()];
  const [node] = nodes;
  const fromTemplates = isDump ? [] : templatedPods(objects);
  const name = node?.metadata.name ?? assumedNode;
  const pods = [...given.pods, ...fromTemplates].map((pod, i) => (pod.status === undefined ? running(pod, i, name) : pod));
  const services = given.services.map(addressed);
  if (pods.some((pod, i) => pod !== given.pods[i])) notes.push("pods that have no status are taken to run and to be ready");
  if (services.some((service, i) => service !== given.services[i])) notes.push("Services that have no address yet are given one");
  const origin = isDump ? ("dump" as const) : ("manifests" as const);
  const filled: Snapshot = { ...given, nodes, pods, services, config: { ...given.config, origin } };
  const endpointSlices = given.endpointSlices.length > 0 ? given.endpointSlices : allSlices(filled);
  if (endpointSlices.length > 0 && given.endpointSlices.length === 0)
    notes.push("EndpointSlices are made from the pods, as the controller would");
  const serviceCIDRs = isDump || given.serviceCIDRs.length > 0 ? given.config.serviceCIDRs : ["10.96.0.0/12"];
  return { ...filled, endpointSlices, config: { ...filled.config, serviceCIDRs, assumed: [...given.config.assumed, ...notes] } };
}

function allSlices(snapshot: Snapshot): readonly EndpointSlice[] {
  const world = worldOf(snapshot);
  return snapshot.services.flatMap((service) => resliced(world, service).flatMap(([, slices]) => slices));
}

function nodeForAll(): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: assumedNode },
    spec: { podCIDR: "10.244.0.0/16", podCIDRs: ["10.244.0.0/16"] },
    status: { addresses: [{ type: "InternalIP", address: "192.0.2.10" }], conditions: [{ type: "Ready", status: "True" }] },
  };
}

type Workload = Deployment | ReplicaSet | StatefulSet | DaemonSet;

function templatedPods(objects: readonly KubeObject[]): readonly Pod[] {
  return objects.flatMap((object) => {
    const replicas = replicasOf(object);
    const { template } = (object as Workload).spec ?? {};
    if (replicas === undefined || template === undefined) return [];
    return Array.from({ length: Math.min(replicas, mostReplicas) }, (_, i) => podOf(object as Workload, template, i));
  });
}

/** Undefined: no maker of pods that a Service could have. Jobs' pods end. */
function replicasOf(object: KubeObject): number | undefined {
  switch (object.kind) {
    case "Deployment":
    case "ReplicaSet":
    case "StatefulSet":
      return (object as Deployment).spec?.replicas ?? 1;
    case "DaemonSet":
      return 1;
    default:
      return undefined;
  }
}

function podOf({ kind, metadata, spec }: Workload, template: PodTemplateSpec, i: number): Pod {
  const name = kind === "StatefulSet" ? `${metadata.name}-${i}` : `${metadata.name}-${"abcdefghij"[i]}`;
  const named = kind === "StatefulSet" ? { hostname: name, subdomain: (spec as StatefulSet["spec"])?.serviceName ?? "" } : {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...template.metadata, name, namespace: metadata.namespace ?? "default" },
    spec: { containers: [], ...template.spec, ...named },
  };
}

function running(pod: Pod, index: number, node: string): Pod {
  const ip = `${ranges.pods}${Math.floor(index / 250)}.${(index % 250) + 2}`;
  return {
    ...pod,
    spec: { containers: [], nodeName: node, ...pod.spec },
    status: { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions: [{ type: "Ready", status: "True" }] },
  };
}

function addressed(service: Service, index: number): Service {
  const { spec = {}, status } = service;
  if (spec.type === "ExternalName") return service;
  const ip = `${ranges.services}${128 + Math.floor(index / 250)}.${(index % 250) + 2}`;
  const numbered = (spec.clusterIP ?? "") === "" && (spec.clusterIPs ?? []).length === 0;
  const balanced = spec.type === "LoadBalancer" && numbered && status?.loadBalancer?.ingress === undefined;
  if (!numbered) return service;
  return {
    ...service,
    spec: { ...spec, clusterIP: ip, clusterIPs: [ip], ports: (spec.ports ?? []).map(withNodePort(spec.type, index)) },
    ...(balanced ? { status: { loadBalancer: { ingress: [{ ip: `${ranges.balancers}${(index % 250) + 2}`, ipMode: "VIP" }] } } } : {}),
  };
}

function withNodePort(type: string | undefined, index: number) {
  const wanted = type === "NodePort" || type === "LoadBalancer";
  return (port: NonNullable<NonNullable<Service["spec"]>["ports"]>[number], i: number) =>
    wanted && port.nodePort === undefined ? { ...port, nodePort: 32_767 - ((index * 8 + i) % 2_700) } : port;
}
