/**
 * What DNS must know of the cluster, kept by key and by address. An update costs what changed and nothing else: no lookup
 * ever walks a list of all Services. Fed by a shell (informers), read by `lookup`.
 */
import { keyOf, objectKey } from "../../api/object.ts";
import type { EndpointSlice, Pod, Service } from "../../api/types.ts";
import { canonicalIp } from "../../lib/ip.ts";
import { addressTag, anyChange, serviceTag } from "./change-tag.ts";

export interface PortEntry {
  /** Folded; empty for a port without a name. */
  readonly name: string;
  /** `tcp`, `udp`, `sctp`; empty when unknown. */
  readonly protocol: string;
  /** -1: an object without ports still has addresses, but no SRV record. */
  readonly port: number;
}

export interface ServiceEntry {
  readonly kind: "clusterIP" | "headless" | "externalName";
  readonly namespace: string;
  readonly name: string;
  /** ClusterIPs, canonical. */
  readonly addresses: readonly string[];
  readonly ports: readonly PortEntry[];
  /** Empty unless the kind is `externalName`. */
  readonly externalName: string;
  /** External IPs, and the addresses and names of load balancers. */
  readonly externals: readonly string[];
}

export interface EndpointEntry {
  readonly address: string;
  /** Empty without one. */
  readonly hostname: string;
  /** Of the target, when it fits a label. */
  readonly podName: string;
  /** Topology zone, folded. */
  readonly zone: string;
}

export interface SliceEntry {
  readonly key: string;
  readonly namespace: string;
  /** Name of the Service; empty for a slice of none. */
  readonly service: string;
  /** Only those that are ready (unknown counts as ready). */
  readonly endpoints: readonly EndpointEntry[];
  readonly ports: readonly PortEntry[];
}

/** The read side. Names are folded; addresses canonical. */
export interface DnsIndex {
  /** Grows with each change that an answer could show. */
  readonly generation: number;
  /** Seconds since the epoch of the last change: the SOA's serial. */
  readonly serial: number;
  /** `tag`: of `changeTag`; undefined: everything may have changed. Returns the function that ends it. */
  onChange(listener: (tag: string | undefined) => void): () => void;
  namespaces(): Iterable<string>;
  allServices(): Iterable<ServiceEntry>;
  hasNamespace(name: string): boolean;
  service(namespace: string, name: string): ServiceEntry | undefined;
  /** In the order in which they came. */
  slices(namespace: string, service: string): Iterable<SliceEntry>;
  servicesAt(address: string): Iterable<ServiceEntry>;
  /** By external address. */
  externalsAt(address: string): Iterable<ServiceEntry>;
  slicesAt(address: string): Iterable<SliceEntry>;
  /** Namespaces of the pods with this address. */
  podsAt(address: string): Iterable<string>;
}

const none: readonly never[] = [];
const noPorts: readonly PortEntry[] = [{ name: "", protocol: "", port: -1 }];

export interface DnsIndexOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export class MutableDnsIndex implements DnsIndex {
  readonly #now: () => number;
  readonly #namespaces = new Set<string>();
  readonly #services = new Map<string, ServiceEntry>();
  readonly #servicesAt = new MultiMap<ServiceEntry>();
  readonly #externalsAt = new MultiMap<ServiceEntry>();
  readonly #slices = new Map<string, SliceEntry>();
  readonly #slicesOf = new MultiMap<SliceEntry>();
  readonly #slicesAt = new MultiMap<SliceEntry>();
  readonly #podAddresses = new Map<string, readonly string[]>();
  readonly #podsAt = new MultiMap<string>();
  readonly #listeners = new Set<(tag: string | undefined) => void>();
  generation = 0;
  serial: number;

  constructor({ now }: DnsIndexOptions) {
    this.#now = now;
    this.serial = Math.floor(now() / 1000);
  }

  onChange(listener: (tag: string | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  namespaces(): Iterable<string> {
    return this.#namespaces;
  }

  allServices(): Iterable<ServiceEntry> {
    return this.#services.values();
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.has(name);
  }

  service(namespace: string, name: string): ServiceEntry | undefined {
    return this.#services.get(`${namespace}/${name}`);
  }

  slices(namespace: string, service: string): Iterable<SliceEntry> {
    return this.#slicesOf.get(`${namespace}/${service}`);
  }

  servicesAt(address: string): Iterable<ServiceEntry> {
    return this.#servicesAt.get(address);
  }

  externalsAt(address: string): Iterable<ServiceEntry> {
    return this.#externalsAt.get(address);
  }

  slicesAt(address: string): Iterable<SliceEntry> {
    return this.#slicesAt.get(address);
  }

  podsAt(address: string): Iterable<string> {
    const namespaces = new Set<string>();
    for (const key of this.#podsAt.get(address)) namespaces.add(key.slice(0, key.indexOf("/")));
    return namespaces;
  }

  setNamespace(name: string): void {
    if (this.#namespaces.has(name)) return;
    this.#namespaces.add(name);
    this.#touch(undefined);
  }

  deleteNamespace(name: string): void {
    if (this.#namespaces.delete(name)) this.#touch(undefined);
  }

  setService(service: Service): void {
    const key = objectKey(service);
    const old = this.#removeService(key);
    const entry = serviceEntry(service);
    this.#services.set(key, entry);
    for (const address of entry.addresses) this.#servicesAt.add(address, entry);
    for (const address of entry.externals) this.#externalsAt.add(address, entry);
    this.#touch(tagsOfService(entry, old));
  }

  deleteService(service: Service): void {
    const old = this.#removeService(objectKey(service));
    if (old !== undefined) this.#touch(tagsOfService(old));
  }

  setSlice(slice: EndpointSlice): void {
    const old = this.#removeSlice(objectKey(slice));
    const entry = sliceEntry(slice);
    this.#slices.set(entry.key, entry);
    this.#slicesOf.add(keyOf(entry.namespace, entry.service), entry);
    for (const { address } of entry.endpoints) this.#slicesAt.add(address, entry);
    this.#touch(tagsOfSlice(entry, old));
  }

  deleteSlice(slice: EndpointSlice): void {
    const old = this.#removeSlice(objectKey(slice));
    if (old !== undefined) this.#touch(tagsOfSlice(old));
  }

  setPod(pod: Pod): void {
    const key = objectKey(pod);
    const addresses = podAddresses(pod);
    const old = this.#podAddresses.get(key) ?? none;
    if (addresses.join() === old.join()) return;
    for (const address of old) this.#podsAt.delete(address, key);
    for (const address of addresses) this.#podsAt.add(address, key);
    if (addresses.length === 0) this.#podAddresses.delete(key);
    else this.#podAddresses.set(key, addresses);
    this.#touch([]);
  }

  deletePod(pod: Pod): void {
    this.setPod({ metadata: pod.metadata });
  }

  #removeService(key: string): ServiceEntry | undefined {
    const old = this.#services.get(key);
    if (old === undefined) return undefined;
    this.#services.delete(key);
    for (const address of old.addresses) this.#servicesAt.delete(address, old);
    for (const address of old.externals) this.#externalsAt.delete(address, old);
    return old;
  }

  #removeSlice(key: string): SliceEntry | undefined {
    const old = this.#slices.get(key);
    if (old === undefined) return undefined;
    this.#slices.delete(key);
    this.#slicesOf.delete(keyOf(old.namespace, old.service), old);
    for (const { address } of old.endpoints) this.#slicesAt.delete(address, old);
    return old;
  }

  /** `tags`: what changed; undefined: everything may have. */
  #touch(tags: Iterable<string> | undefined): void {
    this.generation++;
    this.serial = Math.floor(this.#now() / 1000);
    for (const listener of this.#listeners) {
      if (tags === undefined) listener(undefined);
      else {
        for (const tag of tags) listener(tag);
        listener(anyChange);
      }
    }
  }
}

function tagsOfService(...entries: readonly (ServiceEntry | undefined)[]): Set<string> {
  const there = entries.filter((entry) => entry !== undefined);
  return new Set(there.flatMap(({ namespace, name, addresses }) => [serviceTag(namespace, name), ...addresses.map(addressTag)]));
}

/** A slice of many endpoints in which one changed: the addresses that both have keep their names. */
function tagsOfSlice(entry: SliceEntry, old?: SliceEntry): Set<string> {
  const tags = new Set([entry, old].flatMap((one) => (one === undefined ? [] : [serviceTag(one.namespace, one.service)])));
  const labels = (one?: SliceEntry) =>
    new Map((one?.endpoints ?? []).map(({ address, hostname, podName }) => [address, `${one?.service} ${hostname} ${podName}`]));
  const [now, before] = [labels(entry), labels(old)];
  for (const [address, label] of now) if (before.get(address) !== label) tags.add(addressTag(address));
  for (const address of before.keys()) if (!now.has(address)) tags.add(addressTag(address));
  return tags;
}

class MultiMap<T> {
  readonly #sets = new Map<string, Set<T>>();

  get(key: string): Iterable<T> {
    return this.#sets.get(key) ?? none;
  }

  add(key: string, value: T): void {
    const set = this.#sets.get(key);
    if (set === undefined) this.#sets.set(key, new Set([value]));
    else set.add(value);
  }

  delete(key: string, value: T): void {
    const set = this.#sets.get(key);
    if (set?.delete(value) === true && set.size === 0) this.#sets.delete(key);
  }
}

export function serviceEntry(service: Service): ServiceEntry {
  const { name = "", namespace = "" } = service.metadata;
  const { type, clusterIP, clusterIPs, externalName = "", externalIPs = [], ports = [] } = service.spec ?? {};
  const balancers = (service.status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? "");
  const given = clusterIPs !== undefined && clusterIPs.length > 0 ? clusterIPs : [clusterIP ?? ""];
  const headless = given[0] === "None";
  const kind = type === "ExternalName" ? "externalName" : headless ? "headless" : "clusterIP";
  return {
    kind,
    namespace,
    name,
    addresses: kind === "clusterIP" ? given.filter(Boolean).map(canonical) : none,
    ports: portEntries(ports),
    externalName: kind === "externalName" ? externalName : "",
    externals:
      externalIPs.length + balancers.length === 0 ? none : [...new Set([...externalIPs, ...balancers].filter(Boolean).map(canonical))],
  };
}

export function sliceEntry(slice: EndpointSlice): SliceEntry {
  const { namespace = "", labels = {} } = slice.metadata;
  const endpoints = (slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses, hostname = "", targetRef, zone = "" }) => {
      const target = targetRef?.name ?? "";
      // A pod's name may be longer than a label: then it cannot name an endpoint.
      const podName = target.length < 64 ? target : "";
      return addresses.map((address) => ({ address: canonical(address), hostname, podName, zone: zone.toLowerCase() }));
    });
  return {
    key: objectKey(slice),
    namespace,
    service: labels["kubernetes.io/service-name"] ?? "",
    endpoints,
    ports: portEntries(slice.ports ?? []),
  };
}

interface ApiPort {
  readonly name?: string | undefined;
  readonly protocol?: string | undefined;
  readonly port?: number | undefined;
}

function portEntries(ports: readonly ApiPort[]): readonly PortEntry[] {
  if (ports.length === 0) return noPorts;
  return ports.map(({ name = "", protocol = "", port = -1 }) => ({ name: name.toLowerCase(), protocol: protocol.toLowerCase(), port }));
}

function podAddresses(pod: Pod): readonly string[] {
  const { phase, podIP, podIPs = [] } = pod.status ?? {};
  if (phase === "Succeeded" || phase === "Failed") return none;
  const all = podIPs.length > 0 ? podIPs.map(({ ip }) => ip) : [podIP ?? ""];
  return all.filter(Boolean).map(canonical);
}

/** IPv4 is stored canonical by the API; IPv6 may be written in more than one way. */
function canonical(address: string): string {
  return address.includes(":") ? canonicalIp(address) : address;
}
