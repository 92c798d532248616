/** What a simulation looks at: nodes in zones, and Services with where their endpoints are. From a Snapshot, or invented. Pure. */
import type { Endpoint, EndpointSlice, Service } from "../../api/types.ts";
import { serviceNameLabel } from "../endpoints/names.ts";
import type { Snapshot } from "../explain/snapshot.ts";

export const distributions = ["none", "PreferSameZone", "PreferSameNode"] as const;
export type Distribution = (typeof distributions)[number];

export interface SimulatedNode {
  readonly name: string;
  /** Empty: unknown. */
  readonly zone: string;
}

export interface SimulatedService {
  readonly namespace: string;
  readonly name: string;
  readonly ports: number;
  /** Addresses other than the cluster IP, NodePorts on a node included. */
  readonly ways: number;
  readonly distribution: Distribution;
  readonly internalLocal: boolean;
  readonly sticky: boolean;
  readonly endpoints: readonly SimulatedEndpoint[];
}

export interface SimulatedEndpoint {
  /** Of `World.nodes`; -1: not on a node that is known. */
  readonly node: number;
  readonly ready: boolean;
}

export interface World {
  readonly nodes: readonly SimulatedNode[];
  readonly services: readonly SimulatedService[];
}

const zoneLabel = "topology.kubernetes.io/zone";

/** Services that a proxy carries: those with a cluster IP. */
export function worldOf(snapshot: Pick<Snapshot, "nodes" | "services" | "endpointSlices">): World {
  const nodes = snapshot.nodes.map(({ metadata }) => ({ name: metadata.name ?? "", zone: metadata.labels?.[zoneLabel] ?? "" }));
  const indexes = new Map(nodes.map(({ name }, index) => [name, index]));
  const slices = Map.groupBy(snapshot.endpointSlices, sliceKey);
  const carried = snapshot.services.filter(({ spec }) => spec?.type !== "ExternalName" && (spec?.clusterIP ?? "None") !== "None");
  return {
    nodes,
    services: carried.map((service) => {
      const own = slices.get(`${service.metadata.namespace}/${service.metadata.name}`) ?? [];
      const [first] = own;
      // A Service of two families has each endpoint twice.
      const family = own.filter(({ addressType }) => addressType === first?.addressType);
      return { ...shapeOf(service), endpoints: family.flatMap(({ endpoints }) => endpoints ?? []).map((each) => placed(each, indexes)) };
    }),
  };
}

function sliceKey({ metadata }: EndpointSlice): string {
  return `${metadata.namespace}/${metadata.labels?.[serviceNameLabel] ?? ""}`;
}

function shapeOf({ metadata, spec }: Service): Omit<SimulatedService, "endpoints"> {
  const { ports = [], externalIPs = [], type, trafficDistribution, internalTrafficPolicy, sessionAffinity } = spec ?? {};
  return {
    namespace: metadata.namespace ?? "default",
    name: metadata.name ?? "",
    ports: ports.length,
    ways: externalIPs.length + (type === "LoadBalancer" ? 2 : type === "NodePort" ? 1 : 0),
    distribution: distributionOf(trafficDistribution),
    internalLocal: internalTrafficPolicy === "Local",
    sticky: sessionAffinity === "ClientIP",
  };
}

function distributionOf(text: string | undefined): Distribution {
  if (text === "PreferClose") return "PreferSameZone";
  return distributions.find((known) => known === text) ?? "none";
}

function placed({ nodeName = "", conditions }: Endpoint, indexes: ReadonlyMap<string, number>): SimulatedEndpoint {
  return { node: indexes.get(nodeName) ?? -1, ready: conditions?.ready !== false };
}

export interface Invented {
  readonly nodes: number;
  readonly zones: number;
  readonly services: number;
  /** Of a Service, on average; most have fewer, a few many more. */
  readonly endpoints: number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Sizes are exponentially distributed, nodes drawn evenly: what large clusters roughly look like. */
export function inventWorld({ nodes, zones, services, endpoints, random }: Invented): World {
  const size = () => Math.max(1, Math.round(-Math.log(1 - random()) * endpoints));
  return {
    nodes: Array.from({ length: nodes }, (_, i) => ({ name: `node-${i}`, zone: `zone-${i % zones}` })),
    services: Array.from({ length: services }, (_, i) => ({
      namespace: `team-${Math.floor(i / 50)}`,
      name: `service-${i}`,
      ports: 1,
      ways: 0,
      distribution: "none",
      internalLocal: false,
      sticky: false,
      endpoints: Array.from({ length: size() }, () => ({ node: Math.floor(random() * nodes), ready: true })),
    })),
  };
}
