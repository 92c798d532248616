/**
 * A Snapshot with ways to find things in it. Indexes are made when they are first asked for and kept for the snapshot's life, so that a
 * question about one Service of ten thousand costs what that Service has.
 */
import { keyOf, objectKey, type KubeObject } from "../../api/object.ts";
import type { EndpointSlice, Node, Pod, Service } from "../../api/types.ts";
import { canonical } from "../dns/entries.ts";
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
  /** Those that run, with a network of their own. */
  podsAt(address: string): readonly Pod[];
  node(name: string): Node | undefined;
  nodesAt(address: string): readonly Node[];
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
  const serviceByKey = lazy(() => new Map(services.map((service) => [objectKey(service), service])));
  const byName = lazy(() => Map.groupBy(services, ({ metadata }) => metadata.name ?? ""));
  const byNamespace = lazy(() => Map.groupBy(services, namespaceOf));
  const byAddress = lazy(() => grouped(services, virtualAddresses));
  const byNodePort = lazy(() => grouped(services, nodePorts));
  const slices = lazy(() => Map.groupBy(endpointSlices, serviceKeyOf));
  const podByKey = lazy(() => new Map(pods.map((pod) => [objectKey(pod), pod])));
  const podsByNamespace = lazy(() => Map.groupBy(pods, namespaceOf));
  const podsByAddress = lazy(() => grouped(pods, ownAddresses));
  const nodesByName = lazy(() => new Map(nodes.map((node) => [node.metadata.name ?? "", node])));
  const nodesByAddress = lazy(() => grouped(nodes, nodeAddresses));
  const known = lazy(
    () => new Set([...namespaces.map(({ metadata }) => metadata.name ?? ""), ...byNamespace().keys(), ...podsByNamespace().keys()]),
  );
  return {
    snapshot,
    service: (namespace, name) => serviceByKey().get(keyOf(namespace, name)),
    servicesNamed: (name) => byName().get(name) ?? [],
    servicesIn: (namespace) => byNamespace().get(namespace) ?? [],
    servicesAt: (address) => byAddress().get(canonical(address)) ?? [],
    servicesWithNodePort: (port) => byNodePort().get(port) ?? [],
    slicesOf: (namespace, service) => slices().get(keyOf(namespace, service)) ?? [],
    pod: (namespace, name) => podByKey().get(keyOf(namespace, name)),
    podsIn: (namespace) => podsByNamespace().get(namespace) ?? [],
    podsAt: (address) => podsByAddress().get(canonical(address)) ?? [],
    node: (name) => nodesByName().get(name),
    nodesAt: (address) => nodesByAddress().get(canonical(address)) ?? [],
    hasNamespace: (name) => known().has(name),
  };
}

/** The world as it would be with some objects otherwise: costs what is changed, and leaves every index as it is. */
export interface Replacements {
  /** New versions of objects that are there, or further ones; of Pods and Services. */
  readonly pods?: readonly Pod[];
  readonly services?: readonly Service[];
  /** All slices of these Services (`ns/name`), in place of those that are there. */
  readonly slices?: ReadonlyMap<string, readonly EndpointSlice[]>;
  /** Lists that are taken whole. */
  readonly lists?: Partial<Snapshot>;
}

export function worldWith(base: World, { pods = [], services = [], slices = new Map(), lists = {} }: Replacements): World {
  const service = replacer(services);
  const pod = replacer(pods);
  // A walk reads the configuration and few lists: those of ten thousand objects are made when somebody asks.
  const snapshot: Snapshot = {
    ...base.snapshot,
    get services() {
      return service(base.snapshot.services, () => true);
    },
    get pods() {
      return pod(base.snapshot.pods, () => true);
    },
    get endpointSlices() {
      return [...base.snapshot.endpointSlices.filter((slice) => !slices.has(serviceKeyOf(slice))), ...[...slices.values()].flat()];
    },
    ...lists,
  };
  const rare = lists.nodes === undefined && lists.namespaces === undefined ? base : makeWorld(snapshot);
  return {
    snapshot,
    service: (namespace, name) => service([base.service(namespace, name)].filter(isThere), hasKey(namespace, name))[0],
    servicesNamed: (name) => service(base.servicesNamed(name), ({ metadata }) => metadata.name === name),
    servicesIn: (namespace) => service(base.servicesIn(namespace), (each) => namespaceOf(each) === namespace),
    servicesAt: (address) => service(base.servicesAt(address), (each) => virtualAddresses(each).includes(canonical(address))),
    servicesWithNodePort: (port) => service(base.servicesWithNodePort(port), (each) => nodePorts(each).includes(port)),
    slicesOf: (namespace, name) => slices.get(keyOf(namespace, name)) ?? base.slicesOf(namespace, name),
    pod: (namespace, name) => pod([base.pod(namespace, name)].filter(isThere), hasKey(namespace, name))[0],
    podsIn: (namespace) => pod(base.podsIn(namespace), (each) => namespaceOf(each) === namespace),
    podsAt: (address) => pod(base.podsAt(address), (each) => ownAddresses(each).includes(canonical(address))),
    node: rare.node,
    nodesAt: rare.nodesAt,
    hasNamespace: rare.hasNamespace,
  };
}

/** Puts the new versions in place of the old ones among those that a question found, and those before the others that it would find now. */
function replacer<T extends KubeObject>(changed: readonly T[]) {
  if (changed.length === 0) return (found: readonly T[]) => found;
  const keys = new Set(changed.map(objectKey));
  return (found: readonly T[], belongs: (object: T) => boolean): readonly T[] => [
    ...found.filter((object) => !keys.has(objectKey(object))),
    ...changed.filter(belongs),
  ];
}

const isThere = <T>(value: T | undefined): value is T => value !== undefined;
const namespaceOf = ({ metadata }: KubeObject): string => metadata.namespace ?? "";
const hasKey =
  (namespace: string, name: string) =>
  ({ metadata }: KubeObject): boolean =>
    metadata.namespace === namespace && metadata.name === name;
const serviceKeyOf = ({ metadata }: EndpointSlice): string => keyOf(metadata.namespace, metadata.labels?.[serviceNameLabel] ?? "");
const nodePorts = ({ spec }: Service): readonly number[] => (spec?.ports ?? []).flatMap(({ nodePort }) => nodePort ?? []);
const nodeAddresses = (node: Node): readonly string[] => addressesOfNode(node).map(canonical);

function virtualAddresses({ spec, status }: Service): readonly string[] {
  const own = [...(spec?.clusterIPs ?? [spec?.clusterIP ?? ""]), ...(spec?.externalIPs ?? [])];
  const balancers = (status?.loadBalancer?.ingress ?? []).map(({ ip = "" }) => ip);
  return [...new Set([...own, ...balancers].filter((text) => text !== "" && text !== "None").map(canonical))];
}

/** The address of a pod on its host's network is its node's. */
function ownAddresses(pod: Pod): readonly string[] {
  const { spec, status } = pod;
  if (spec?.hostNetwork === true || status?.phase === "Succeeded" || status?.phase === "Failed") return [];
  return podAddresses(pod).map(canonical);
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
