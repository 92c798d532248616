/**
 * What DNS needs of an object of the cluster, as an object of the API that holds nothing else. An informer that keeps these in the
 * place of what the server sent is no second copy of the index: entries are made once, and both hold the same. Pure but for
 * its table of texts, which many objects share.
 */
import type { KubeObject } from "../../api/object.ts";
import { endpointSlices, namespaces, pods, services, type Resource } from "../../api/resources.ts";
import type { EndpointSlice, Pod, Service } from "../../api/types.ts";
import { serviceEntry, sliceEntry, type EntryOptions, type PortEntry, type ServiceEntry, type SliceEntry } from "./entries.ts";

export interface LeanService extends Service {
  readonly entry: ServiceEntry;
}

export interface LeanSlice extends EndpointSlice {
  readonly entry: SliceEntry;
}

export interface LeanOptions {
  /** Labels are kept, for who selects by them. */
  readonly labels: boolean;
  /** Endpoints are called by their pods. */
  readonly podNames: boolean;
  /** Endpoints are asked for by their zone. */
  readonly zones: boolean;
}

/** Texts and lists of ports that are shared at most; beyond it the table begins anew. */
const maxShared = 16_384;

export type Transform = <T extends KubeObject>(object: T, resource: Resource<T>) => T;

export function leanTransform(options: LeanOptions): Transform {
  const shared = new Shared();
  const entries: EntryOptions = { ...options, text: (value) => shared.text(value), ports: (list) => shared.ports(list) };
  const makers = new Map<Resource, (object: KubeObject) => KubeObject>([
    [namespaces, (object) => ({ metadata: leanMetadata(object, options, shared) })],
    [services, (object) => leanService(object as Service, options, entries, shared)],
    [endpointSlices, (object) => leanSlice(object as EndpointSlice, options, entries, shared)],
    [pods, (object) => leanPod(object as Pod, shared)],
  ]);
  return (object, resource) => (makers.get(resource as unknown as Resource)?.(object) ?? object) as typeof object;
}

function leanMetadata({ metadata }: KubeObject, { labels }: Pick<LeanOptions, "labels">, shared: Shared): KubeObject["metadata"] {
  const { name, namespace, resourceVersion } = metadata;
  return {
    name,
    ...(namespace === undefined ? {} : { namespace: shared.text(namespace) }),
    resourceVersion,
    ...(labels && metadata.labels !== undefined ? { labels: metadata.labels } : {}),
  };
}

function leanService(service: Service, options: LeanOptions, entries: EntryOptions, shared: Shared): LeanService {
  return { metadata: leanMetadata(service, options, shared), entry: serviceEntry(service, entries) };
}

function leanSlice(slice: EndpointSlice, options: LeanOptions, entries: EntryOptions, shared: Shared): LeanSlice {
  const { addressType } = slice;
  return { metadata: leanMetadata(slice, options, shared), addressType, endpoints: [], entry: sliceEntry(slice, entries) };
}

/** Addresses, and whether it has ended. */
function leanPod(pod: Pod, shared: Shared): Pod {
  const { phase, podIP, podIPs } = pod.status ?? {};
  const metadata = leanMetadata(pod, { labels: false }, shared);
  return { metadata, status: { phase: shared.text(phase ?? ""), ...(podIPs === undefined ? { podIP } : { podIPs }) } };
}

class Shared {
  readonly #texts = new Map<string, string>();
  readonly #ports = new Map<string, readonly PortEntry[]>();

  text(value: string): string {
    const there = this.#texts.get(value);
    if (there !== undefined) return there;
    if (this.#texts.size >= maxShared) this.#texts.clear();
    this.#texts.set(value, value);
    return value;
  }

  ports(list: readonly PortEntry[]): readonly PortEntry[] {
    const key = list.map(({ name, protocol, port }) => `${name} ${protocol} ${port}`).join();
    const there = this.#ports.get(key);
    if (there !== undefined) return there;
    if (this.#ports.size >= maxShared) this.#ports.clear();
    this.#ports.set(key, list);
    return list;
  }
}
