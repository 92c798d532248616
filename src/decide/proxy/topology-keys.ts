/**
 * Endpoints near to the client's node by any label of nodes: annotation `fairlead.dev/topology-keys`, in the manner of the `topologyKeys`
 * that left Kubernetes in 1.22 (KEP-536). The keys are tried in order: endpoints on nodes that have this node's value of the label; the
 * first key with a ready endpoint wins. `*` is every endpoint, and may only come last; where no key has one, connections are refused.
 */
import type { Service } from "../../api/types.ts";
import type { PlanEndpoint } from "./plan.ts";

export const topologyKeysAnnotation = "fairlead.dev/topology-keys";
/** As `topologyKeys` had it. */
const maxKeys = 16;

export type NodeLabels = Readonly<Record<string, string>>;

/** Undefined: the Service does not ask for it. */
export function topologyKeysOf({ metadata }: Service): readonly string[] | undefined {
  const text = metadata.annotations?.[topologyKeysAnnotation];
  if (text === undefined) return undefined;
  const keys = text.split(",").map((key) => key.trim());
  const end = keys.indexOf("*");
  return [...new Set((end < 0 ? keys : keys.slice(0, end + 1)).filter((key) => key !== ""))].slice(0, maxKeys);
}

export interface TopologyOptions {
  readonly keys: readonly string[];
  /** Of this node. */
  readonly node: { readonly name: string; readonly labels: NodeLabels };
  /** Of any node; undefined: not known. Absent: none is. */
  readonly labelsOf?: ((nodeName: string) => NodeLabels | undefined) | undefined;
  /** Zones as the slices say them. */
  readonly zoneOf: (endpoint: PlanEndpoint) => string | undefined;
}

/** Whether an endpoint is near enough. */
export function nearestEndpoints(endpoints: readonly PlanEndpoint[], options: TopologyOptions): (endpoint: PlanEndpoint) => boolean {
  for (const key of options.keys) {
    if (key === "*") return () => true;
    const wanted = valueOf(key, options.node.name, options.node.labels);
    if (wanted === undefined) continue;
    const isNear = (endpoint: PlanEndpoint) => endpointValue(key, endpoint, options) === wanted;
    if (endpoints.some((endpoint) => endpoint.ready && isNear(endpoint))) return isNear;
  }
  return () => false;
}

function endpointValue(key: string, endpoint: PlanEndpoint, { labelsOf, zoneOf }: TopologyOptions): string | undefined {
  const { nodeName } = endpoint;
  if (nodeName === undefined) return undefined;
  const value = valueOf(key, nodeName, labelsOf?.(nodeName) ?? {});
  return value ?? (key === "topology.kubernetes.io/zone" ? zoneOf(endpoint) : undefined);
}

/** A node that nobody has labelled is known by its name all the same. */
function valueOf(key: string, nodeName: string, labels: NodeLabels): string | undefined {
  return labels[key] ?? (key === "kubernetes.io/hostname" ? nodeName : undefined);
}
