/**
 * Which endpoints new connections may go to, by traffic policy (upstream pkg/proxy/topology.go; KEP-1669 for terminating
 * endpoints, KEP-2433 and KEP-4444 for hints, KEP-3015 for node hints).
 */
import type { LeftOutEndpoint, PlanEndpoint } from "./plan.ts";
import type { LeftOutReason } from "./reasons.ts";

export interface EndpointPolicies {
  readonly internalLocal: boolean;
  readonly externalLocal: boolean;
  /** Has a NodePort, an external IP or a load balancer's address: only then the external policy counts. */
  readonly externallyAccessible: boolean;
  /** Whether hints in the slices count; see `hintsCount`. */
  readonly hints: boolean;
  readonly terminatingEndpoints: boolean;
  /** Which endpoints are near enough, of those with policy Cluster; hints then do not count. Absent: all. */
  readonly near?: (endpoint: PlanEndpoint) => boolean;
}

export interface CategoryNode {
  readonly name: string;
  /** Empty: unknown. */
  readonly zone: string;
}

export interface Categories {
  /** Undefined where no traffic of the port has policy Cluster. */
  readonly cluster: readonly PlanEndpoint[] | undefined;
  /** Undefined where no traffic of the port has policy Local. */
  readonly local: readonly PlanEndpoint[] | undefined;
  /** What this node may send to: the union of both. */
  readonly reachable: readonly PlanEndpoint[];
  /** Whether any node of the cluster can reach an endpoint. */
  readonly hasAny: boolean;
}

type Topology = "none" | "node" | "zone";

export function categorizeEndpoints(endpoints: readonly PlanEndpoint[], policies: EndpointPolicies, node: CategoryNode): Categories {
  const localTraffic = usesLocal(policies);
  const mayFallBack = (endpoint: PlanEndpoint) => policies.terminatingEndpoints && endpoint.serving && endpoint.terminating;
  const cluster = usesCluster(policies) ? clusterEndpoints(endpoints, policies, node, mayFallBack) : undefined;
  const local = localTraffic
    ? readyOr(
        endpoints.filter((endpoint) => endpoint.local),
        mayFallBack,
      )
    : undefined;
  const hasAny = localTraffic ? endpoints.some((endpoint) => endpoint.ready || mayFallBack(endpoint)) : (cluster ?? []).length > 0;
  return { cluster, local, reachable: union(endpoints, cluster, local), hasAny };
}

/** In the order of `endpoints`, which is that of both. */
function union(
  endpoints: readonly PlanEndpoint[],
  cluster: readonly PlanEndpoint[] | undefined,
  local: readonly PlanEndpoint[] | undefined,
): readonly PlanEndpoint[] {
  if (cluster === undefined || local === undefined) return cluster ?? local ?? [];
  const used = new Set([...cluster, ...local]);
  return endpoints.filter((endpoint) => used.has(endpoint));
}

/** External traffic from inside the cluster takes the Cluster policy even where it is Local from outside (short circuit). */
function usesCluster({ internalLocal, externallyAccessible }: EndpointPolicies): boolean {
  return !internalLocal || externallyAccessible;
}

function usesLocal({ internalLocal, externalLocal, externallyAccessible }: EndpointPolicies): boolean {
  return internalLocal || (externalLocal && externallyAccessible);
}

function clusterEndpoints(
  endpoints: readonly PlanEndpoint[],
  policies: EndpointPolicies,
  node: CategoryNode,
  mayFallBack: (endpoint: PlanEndpoint) => boolean,
): readonly PlanEndpoint[] {
  const { near } = policies;
  // Who is near and on the way out serves where nobody near is ready, as elsewhere; who is far never does.
  if (near !== undefined) return readyOr(endpoints, (endpoint) => near(endpoint) && mayFallBack(endpoint), near);
  const topology = policies.hints ? topologyOf(endpoints, node) : "none";
  return readyOr(endpoints, mayFallBack, (endpoint) => isFor(endpoint, topology, node));
}

function readyOr(
  endpoints: readonly PlanEndpoint[],
  mayFallBack: (endpoint: PlanEndpoint) => boolean,
  wanted: (endpoint: PlanEndpoint) => boolean = () => true,
): readonly PlanEndpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready && wanted(endpoint));
  return ready.length > 0 ? ready : endpoints.filter(mayFallBack);
}

/** Hints count only when every ready endpoint has them and one is for here: half a set would overload that half. */
function topologyOf(endpoints: readonly PlanEndpoint[], node: CategoryNode): Topology {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  if (ready.length === 0) return "none";
  if (ready.every((endpoint) => endpoint.nodeHints !== undefined) && ready.some((endpoint) => isFor(endpoint, "node", node))) return "node";
  if (ready.every((endpoint) => endpoint.zoneHints !== undefined) && ready.some((endpoint) => isFor(endpoint, "zone", node))) return "zone";
  return "none";
}

function isFor(endpoint: PlanEndpoint, topology: Topology, node: CategoryNode): boolean {
  if (topology === "none") return true;
  return topology === "node" ? endpoint.nodeHints?.includes(node.name) === true : endpoint.zoneHints?.includes(node.zone) === true;
}

/** Why each endpoint outside the sets is there; an endpoint that only one policy leaves out is listed with that policy. */
export function leftOutEndpoints(
  endpoints: readonly PlanEndpoint[],
  { cluster, local }: Categories,
  policies: EndpointPolicies,
): readonly LeftOutEndpoint[] {
  // As in most Services: nobody is left out.
  if (local === undefined && cluster?.length === endpoints.length) return [];
  const [inCluster, inLocal] = [new Set(cluster ?? []), new Set(local ?? [])];
  const localPolicy = policies.internalLocal ? "internal" : "external";
  return endpoints.flatMap((endpoint): LeftOutEndpoint[] => {
    const out = (reason: LeftOutReason, policy?: "internal" | "external"): LeftOutEndpoint[] => [
      { kind: "leftOut", ip: endpoint.ip, port: endpoint.port, reason, ...withDefined({ policy, target: endpoint.target }) },
    ];
    if (inCluster.has(endpoint)) return local === undefined || inLocal.has(endpoint) ? [] : out(localReason(endpoint), localPolicy);
    if (inLocal.has(endpoint))
      return cluster === undefined
        ? []
        : out(clusterReason(endpoint, cluster, policies), localPolicy === "internal" ? "external" : "internal");
    return out(cluster === undefined ? localReason(endpoint) : clusterReason(endpoint, cluster, policies));
  });
}

function clusterReason(endpoint: PlanEndpoint, chosen: readonly PlanEndpoint[], { near }: EndpointPolicies): LeftOutReason {
  if (!endpoint.ready) return stateReason(endpoint);
  if (near !== undefined) return "OtherTopology";
  return chosen.some((other) => other.nodeHints !== undefined) ? "HintedForOtherNode" : "HintedForOtherZone";
}

function localReason(endpoint: PlanEndpoint): LeftOutReason {
  return endpoint.ready && !endpoint.local ? "NotLocal" : stateReason(endpoint);
}

function stateReason({ serving, terminating }: PlanEndpoint): LeftOutReason {
  if (!terminating) return "NotReady";
  return serving ? "TerminatingWhileOthersReady" : "Terminating";
}

function withDefined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
