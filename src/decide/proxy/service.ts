/** Plans one Service: what each of its addresses does with a packet. The proxy plans again only the Service that changed. */
import type { EndpointSlice, Service, ServicePort } from "../../api/types.ts";
import { deepFreeze } from "../../lib/freeze.ts";
import type { IpFamily } from "../../lib/ip.ts";
import { categorizeEndpoints, leftOutEndpoints, type EndpointPolicies } from "./categorize.ts";
import { gatherEndpoints } from "./endpoints.ts";
import type {
  FamilyEndpoints,
  LeftOutEndpoint,
  PlanNode,
  PlanOptions,
  PortPlan,
  Protocol,
  ServicePlan,
  Verdict,
  VirtualAddress,
} from "./plan.ts";
import { trafficOf } from "./traffic.ts";
import { nearestEndpoints, topologyKeysOf } from "./topology-keys.ts";
import { addressesOf, affinityOf, hintsCount, skipReason, type RawAddress } from "./service-info.ts";

/** `slices`: those of this Service (label `kubernetes.io/service-name`). The result is frozen. */
export function planService(service: Service, slices: readonly EndpointSlice[], node: PlanNode, options: PlanOptions = {}): ServicePlan {
  const { namespace = "", name = "" } = service.metadata;
  const reason = skipReason(service, options);
  if (reason !== undefined) return deepFreeze({ kind: "skipped", namespace, name, reason });
  const ports = (service.spec?.ports ?? []).map((port) => planPort(service, port, slices, node, options));
  return deepFreeze({ kind: "service", namespace, name, ports, ...healthCheck(service, ports) });
}

function planPort(service: Service, port: ServicePort, slices: readonly EndpointSlice[], node: PlanNode, options: PlanOptions): PortPlan {
  const { metadata, spec = {} } = service;
  const raw = addressesOf(service, port, node.nodePortAddresses, node.addresses, options);
  const protocol = (port.protocol ?? "TCP") as Protocol;
  const traffic = trafficOf(metadata.annotations);
  const policies: EndpointPolicies = {
    internalLocal: spec.internalTrafficPolicy === "Local",
    externalLocal: spec.externalTrafficPolicy === "Local",
    externallyAccessible: (port.nodePort ?? 0) !== 0 || raw.some(({ kind }) => kind !== "clusterIP"),
    hints: hintsCount(service),
    terminatingEndpoints: options.terminatingEndpoints !== false,
  };
  const families = [...new Set(raw.map(({ family }) => family))].sort((a, b) => a - b);
  const topologyKeys = topologyKeysOf(service);
  const planned = families.map((family) =>
    planFamily(slices, { portName: port.name ?? "", protocol, family }, policies, node, { topologyKeys, labelsOf: options.labelsOf }),
  );
  const endpoints = planned.map(({ sets }) => sets);
  return {
    kind: "port",
    servicePort: { namespace: metadata.namespace ?? "", name: metadata.name ?? "", port: port.name ?? "" },
    protocol,
    port: port.port,
    ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
    addresses: raw.map((address) => planAddress(address, endpoints, policies, node, options)),
    endpoints,
    affinity: affinityOf(spec),
    ...(traffic === undefined ? {} : { traffic }),
    internalTrafficPolicy: policies.internalLocal ? "Local" : "Cluster",
    externalTrafficPolicy: policies.externalLocal ? "Local" : "Cluster",
    leftOut: planned.flatMap(({ leftOut }) => leftOut),
  };
}

function planFamily(
  slices: readonly EndpointSlice[],
  query: { readonly portName: string; readonly protocol: Protocol; readonly family: IpFamily },
  policies: EndpointPolicies,
  node: PlanNode,
  {
    topologyKeys,
    labelsOf,
  }: { readonly topologyKeys: readonly string[] | undefined; readonly labelsOf: PlanOptions["labelsOf"] | undefined },
): { readonly sets: FamilyEndpoints; readonly leftOut: readonly LeftOutEndpoint[] } {
  const { endpoints, invalid } = gatherEndpoints(slices, { ...query, nodeName: node.name });
  const zone = node.labels?.["topology.kubernetes.io/zone"] ?? "";
  const near =
    topologyKeys === undefined
      ? undefined
      : nearestEndpoints(endpoints, {
          keys: topologyKeys,
          node: { name: node.name, labels: node.labels ?? {} },
          labelsOf,
          zoneOf: (endpoint) => endpoint.zone,
        });
  const all = near === undefined ? policies : { ...policies, near };
  const categories = categorizeEndpoints(endpoints, all, { name: node.name, zone });
  const { cluster = [], local = [], hasAny } = categories;
  return {
    sets: { family: query.family, cluster, local, hasAny },
    leftOut: [...invalid, ...leftOutEndpoints(endpoints, categories, all)],
  };
}

function planAddress(
  raw: RawAddress,
  endpoints: readonly FamilyEndpoints[],
  policies: EndpointPolicies,
  node: PlanNode,
  options: PlanOptions,
): VirtualAddress {
  const sets = endpoints.find(({ family }) => family === raw.family) ?? { family: raw.family, cluster: [], local: [], hasAny: false };
  const podsKnown = node.podInterface !== undefined || (node.clusterCIDRs ?? []).some((cidr) => cidr.includes(":") === (raw.family === 6));
  const verdicts =
    raw.kind === "clusterIP" ? internalVerdicts(sets, policies, podsKnown, options) : externalVerdicts(sets, policies, podsKnown);
  return { ...raw, verdicts };
}

/** To a cluster IP: policy internalTrafficPolicy; masqueraded when it comes from outside the pods and pods are known. */
function internalVerdicts(
  sets: FamilyEndpoints,
  policies: EndpointPolicies,
  podsKnown: boolean,
  options: PlanOptions,
): VirtualAddress["verdicts"] {
  const all = options.masqueradeAll === true;
  const to = policies.internalLocal ? "local" : "cluster";
  return { pod: verdict(sets, to, all), node: verdict(sets, to, all || podsKnown), external: verdict(sets, to, all || podsKnown) };
}

/**
 * To an address that is reached from outside. Policy Cluster masquerades everyone (the answer must come back through this
 * node). Policy Local keeps the client's address and this node's endpoints for those outside, while pods and the node itself
 * are inside already and get every endpoint; where pods cannot be told from others, they count as outside.
 */
function externalVerdicts(sets: FamilyEndpoints, policies: EndpointPolicies, podsKnown: boolean): VirtualAddress["verdicts"] {
  if (!policies.externalLocal) {
    const everyone = verdict(sets, "cluster", true);
    return { pod: everyone, node: everyone, external: everyone };
  }
  const outside = verdict(sets, "local", false);
  // With topology keys there may be no endpoint for those inside: then they are as those outside.
  if (sets.cluster.length === 0) return { pod: outside, node: outside, external: outside };
  return { pod: podsKnown ? verdict(sets, "cluster", false) : outside, node: verdict(sets, "cluster", true), external: outside };
}

function verdict(sets: FamilyEndpoints, to: "cluster" | "local", masquerade: boolean): Verdict {
  // Policy Cluster has none only where topology keys lead nowhere, though another policy has some.
  if (!sets.hasAny || (to === "cluster" && sets.cluster.length === 0)) return { kind: "reject", reason: "NoEndpoints" };
  return sets[to].length === 0 ? { kind: "drop", reason: "NoLocalEndpoints" } : { kind: "dnat", to, masquerade };
}

/** A load balancer asks this port of each node whether it may send here (KEP-27). */
function healthCheck(
  service: Service,
  ports: readonly PortPlan[],
): { readonly healthCheck?: { readonly port: number; readonly localEndpoints: number } } {
  const { spec } = service;
  const port = spec?.healthCheckNodePort ?? 0;
  if (spec?.type !== "LoadBalancer" || spec.externalTrafficPolicy !== "Local" || port === 0) return {};
  // A pod has an address of each family and is one endpoint.
  const counts = ([4, 6] as const).map((family) => {
    const here = ports.flatMap(({ endpoints }) => endpoints.filter((set) => set.family === family).flatMap(({ local }) => local));
    return new Set(here.filter(({ ready }) => ready).map(({ ip }) => ip)).size;
  });
  return { healthCheck: { port, localEndpoints: Math.max(...counts) } };
}
