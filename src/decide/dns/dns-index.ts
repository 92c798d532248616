/**
 * What DNS must know of the cluster, kept by key and by address. An update costs what changed and nothing else: no lookup
 * ever walks a list of all Services. Fed by a shell (informers), read by `lookup`.
 */
import { keyOf, objectKey } from "../../api/object.ts";
import type { EndpointSlice, Pod, Service } from "../../api/types.ts";
import { canonical, serviceEntry, sliceEntry, type ServiceEntry, type SliceEntry } from "./entries.ts";
import type { LeanService, LeanSlice } from "./lean.ts";
import { addressTag, anyChange, serviceTag } from "./change-tag.ts";

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

  setService(service: Service | LeanService): void {
    const key = objectKey(service);
    const old = this.#removeService(key);
    const entry = "entry" in service ? service.entry : serviceEntry(service);
    this.#services.set(key, entry);
    for (const address of entry.addresses) this.#servicesAt.add(address, entry);
    for (const address of entry.externals) this.#externalsAt.add(address, entry);
    this.#touch(tagsOfService(entry, old));
  }

  deleteService(service: Service): void {
    const old = this.#removeService(objectKey(service));
    if (old !== undefined) this.#touch(tagsOfService(old));
  }

  setSlice(slice: EndpointSlice | LeanSlice): void {
    const old = this.#removeSlice(objectKey(slice));
    const entry = "entry" in slice ? slice.entry : sliceEntry(slice);
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

/** Most keys have one value: those cost no set. */
class MultiMap<T extends string | object> {
  readonly #values = new Map<string, T | Set<T>>();

  get(key: string): Iterable<T> {
    const there = this.#values.get(key);
    if (there === undefined) return none;
    return there instanceof Set ? there : [there];
  }

  add(key: string, value: T): void {
    const there = this.#values.get(key);
    if (there === undefined) this.#values.set(key, value);
    else if (there instanceof Set) there.add(value);
    else if (there !== value) this.#values.set(key, new Set([there, value]));
  }

  delete(key: string, value: T): void {
    const there = this.#values.get(key);
    if (there === value) this.#values.delete(key);
    else if (there instanceof Set && there.delete(value) && there.size === 1) this.#values.set(key, [...there][0] as T);
  }
}

function podAddresses(pod: Pod): readonly string[] {
  const { phase, podIP, podIPs = [] } = pod.status ?? {};
  if (phase === "Succeeded" || phase === "Failed") return none;
  const all = podIPs.length > 0 ? podIPs.map(({ ip }) => ip) : [podIP ?? ""];
  return all.filter(Boolean).map(canonical);
}
