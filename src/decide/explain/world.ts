/**
 * A Snapshot with ways to find things in it. Indexes are made when they are first asked for and kept for the snapshot's life, so that a
 * question about one Service of ten thousand costs what that Service has.
 */
import { keyOf } from "../../api/object.ts";
import type { EndpointSlice, Node, Pod, Service } from "../../api/types.ts";
import { canonicalIp } from "../../lib/ip.ts";
import { serviceNameLabel } from "../endpoints/names.ts";
import { podAddresses } from "../endpoints/pod-state.ts";
import { addressesOfNode } from "./nodes.ts";
import type { Snapshot } from "./snapshot.ts";

export interface World {
  readonly snapshot: Snapshot;
  service(namespace: string, name: string): Service | undefined;
  /** Of all namespaces. */
  servicesNamed(name: string): readonly Service[];
  servicesIn(namespace: string): readonly Service[];
  /** By any virtual address: cluster IP, external IP, load balancer. */
  servicesAt(address: string): readonly Service[];
  servicesWithNodePort(port: number): readonly Service[];
  slicesOf(namespace: string, service: string): readonly EndpointSlice[];
  pod(namespace: string, name: string): Pod | undefined;
  podsIn(namespace: string): readonly Pod[];
  podAt(address: string): Pod | undefined;
  node(name: string): Node | undefined;
  nodeAt(address: string): Node | undefined;
  hasNamespace(name: string): boolean;
}

const worlds = new WeakMap<Snapshot, World>();

export function worldOf(snapshot: Snapshot): World {
  const known = worlds.get(snapshot);
  if (known !== undefined) return known;
  const world = makeWorld(snapshot);
  worlds.set(snapshot, world);
  return world;
}

function makeWorld(snapshot: Snapshot): World {
  const { services, endpointSlices, pods, nodes, namespaces } = snapshot;
  const byKey = lazy(() => new Map(services.map((service) => [keyOfObject(service), service])));
  const byName = lazy(() => Map.groupBy(services, ({ metadata }) => metadata.name ?? ""));
  const byNamespace = lazy(() => Map.groupBy(services, ({ metadata }) => metadata.namespace ?? ""));
  const byAddress = lazy(() => grouped(services, virtualAddresses));
  const byNodePort = lazy(() => grouped(services, ({ spec }) => (spec?.ports ?? []).flatMap(({ nodePort }) => nodePort ?? [])));
  const slices = lazy(() =>
    Map.groupBy(endpointSlices, ({ metadata }) => keyOf(metadata.namespace, metadata.labels?.[serviceNameLabel] ?? "")),
  );
  const podsByNamespace = lazy(() => Map.groupBy(pods, ({ metadata }) => metadata.namespace ?? ""));
  const podsByAddress = lazy(() => grouped(pods.filter(hasNetworkOfItsOwn), (pod) => podAddresses(pod).map(canonicalIp)));
  const nodesByName = lazy(() => new Map(nodes.map((node) => [node.metadata.name ?? "", node])));
  const nodesByAddress = lazy(() => grouped(nodes, (node) => addressesOfNode(node).map(canonicalIp)));
  const known = lazy(
    () => new Set([...namespaces.map(({ metadata }) => metadata.name ?? ""), ...byNamespace().keys(), ...podsByNamespace().keys()]),
  );
  return {
    snapshot,
    service: (namespace, name) => byKey().get(keyOf(namespace, name)),
    servicesNamed: (name) => byName().get(name) ?? [],
    servicesIn: (namespace) => byNamespace().get(namespace) ?? [],
    servicesAt: (address) => byAddress().get(canonicalIp(address)) ?? [],
    servicesWithNodePort: (port) => byNodePort().get(port) ?? [],
    slicesOf: (namespace, service) => slices().get(keyOf(namespace, service)) ?? [],
    pod: (namespace, name) => (podsByNamespace().get(namespace) ?? []).find(({ metadata }) => metadata.name === name),
    podsIn: (namespace) => podsByNamespace().get(namespace) ?? [],
    podAt: (address) => podsByAddress().get(canonicalIp(address))?.[0],
    node: (name) => nodesByName().get(name),
    nodeAt: (address) => nodesByAddress().get(canonicalIp(address))?.[0],
    hasNamespace: (name) => known().has(name),
  };
}

const keyOfObject = ({ metadata }: Service): string => keyOf(metadata.namespace, metadata.name ?? "");

function virtualAddresses({ spec, status }: Service): readonly string[] {
  const own = [...(spec?.clusterIPs ?? [spec?.clusterIP ?? ""]), ...(spec?.externalIPs ?? [])];
  const balancers = (status?.loadBalancer?.ingress ?? []).map(({ ip = "" }) => ip);
  return [...new Set([...own, ...balancers].filter((text) => text !== "" && text !== "None").map(canonicalIp))];
}

/** The address of any other pod is its node's. */
function hasNetworkOfItsOwn({ spec, status }: Pod): boolean {
  return spec?.hostNetwork !== true && status?.phase !== "Succeeded" && status?.phase !== "Failed";
}

function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function grouped<T, K>(items: readonly T[], keysOf: (item: T) => readonly K[]): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    for (const key of keysOf(item)) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [item]);
      else group.push(item);
    }
  }
  return groups;
}
