/**
 * What the proxy knows of the API and has not yet applied: Services, their slices, and which Services changed. A change is two
 * Map operations; nothing is planned here.
 */
import type { EndpointSlice, Service } from "../api/types.ts";
import { objectKey } from "../api/object.ts";
import { serviceKeyOfSlice } from "../decide/proxy/index.ts";

/** Written by the endpoints controllers: when what the slice shows happened (RFC 3339). */
const triggerTimeAnnotation = "endpoints.kubernetes.io/last-change-trigger-time";

export interface PendingChange {
  readonly key: string;
  services: number;
  endpoints: number;
  /** When the oldest unapplied change of the endpoints happened, in ms since the epoch. */
  triggered?: number;
}

export class ServiceTracker {
  readonly #services = new Map<string, Service>();
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  #pending = new Map<string, PendingChange>();
  readonly #changed: () => void;

  /** `changed`: called after each change. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  setService(service: Service): void {
    const key = objectKey(service);
    this.#services.set(key, service);
    this.#mark(key).services += 1;
    this.#changed();
  }

  deleteService(service: Service): void {
    const key = objectKey(service);
    this.#services.delete(key);
    this.#mark(key).services += 1;
    this.#changed();
  }

  setSlice(slice: EndpointSlice, old?: EndpointSlice): void {
    const key = serviceKeyOfSlice(slice);
    if (old !== undefined && serviceKeyOfSlice(old) !== key) this.deleteSlice(old);
    if (key === undefined) return;
    const slices = this.#slices.get(key) ?? new Map<string, EndpointSlice>();
    this.#slices.set(key, slices.set(objectKey(slice), slice));
    this.#sliceChanged(key, slice, old);
  }

  deleteSlice(slice: EndpointSlice): void {
    const key = serviceKeyOfSlice(slice);
    const slices = key === undefined ? undefined : this.#slices.get(key);
    if (key === undefined || slices === undefined) return;
    slices.delete(objectKey(slice));
    if (slices.size === 0) this.#slices.delete(key);
    this.#sliceChanged(key, slice, slice);
  }

  /** Plans the Service again although nothing changed: a port that could not be bound is tried again. */
  mark(key: string): void {
    this.#mark(key);
    this.#changed();
  }

  service(key: string): Service | undefined {
    return this.#services.get(key);
  }

  services(): Iterable<Service> {
    return this.#services.values();
  }

  slices(key: string): readonly EndpointSlice[] {
    return [...(this.#slices.get(key)?.values() ?? [])];
  }

  get pending(): Iterable<PendingChange> {
    return this.#pending.values();
  }

  get isPending(): boolean {
    return this.#pending.size > 0;
  }

  /** What is to be applied; from now on changes count anew. */
  take(): readonly PendingChange[] {
    const taken = [...this.#pending.values()];
    this.#pending = new Map();
    return taken;
  }

  #mark(key: string): PendingChange {
    let change = this.#pending.get(key);
    if (change === undefined) this.#pending.set(key, (change = { key, services: 0, endpoints: 0 }));
    return change;
  }

  #sliceChanged(key: string, slice: EndpointSlice, old: EndpointSlice | undefined): void {
    const change = this.#mark(key);
    change.endpoints += 1;
    const text = slice.metadata.annotations?.[triggerTimeAnnotation];
    // The annotation stays when another writer touches the slice: only a new value tells of a new change.
    if (text !== undefined && text !== old?.metadata.annotations?.[triggerTimeAnnotation]) {
      const time = Date.parse(text);
      if (!Number.isNaN(time)) change.triggered = Math.min(change.triggered ?? time, time);
    }
    this.#changed();
  }
}
