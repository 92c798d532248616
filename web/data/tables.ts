/** The objects of the cluster by kind and key, with the indexes that the pages ask: an update costs what changed. */
import { objectKey, type KubeObject } from "../../src/api/object.ts";
import type { EndpointSlice, Pod } from "../../src/api/types.ts";
import type { FollowedKind } from "../../src/console/wire.ts";
import { serviceNameLabel } from "../../src/decide/endpoints/names.ts";
import { podAddresses } from "../../src/decide/endpoints/pod-state.ts";

export type Table = ReadonlyMap<string, KubeObject>;

const none: Table = new Map();

export class Tables {
  readonly #tables = new Map<FollowedKind, Map<string, KubeObject>>();
  /** `ns/service` → slices by key. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  /** Address → pod. */
  readonly #podAt = new Map<string, Pod>();
  readonly #versions = new Map<FollowedKind, number>();

  table(kind: FollowedKind): Table {
    return this.#tables.get(kind) ?? none;
  }

  list<T extends KubeObject>(kind: FollowedKind): readonly T[] {
    return [...this.table(kind).values()] as T[];
  }

  get<T extends KubeObject>(kind: FollowedKind, key: string): T | undefined {
    return this.table(kind).get(key) as T | undefined;
  }

  slicesOf(service: string): readonly EndpointSlice[] {
    return [...(this.#slices.get(service)?.values() ?? [])];
  }

  podAt(address: string): Pod | undefined {
    return this.#podAt.get(address);
  }

  /** Grows with each change of a kind. */
  version(...kinds: readonly FollowedKind[]): number {
    return kinds.reduce((sum, kind) => sum + (this.#versions.get(kind) ?? 0), 0);
  }

  put(kind: FollowedKind, object: KubeObject): void {
    const key = objectKey(object);
    let table = this.#tables.get(kind);
    if (table === undefined) this.#tables.set(kind, (table = new Map()));
    const old = table.get(key);
    if (old !== undefined) this.#unfile(kind, key, old);
    table.set(key, object);
    this.#file(kind, key, object);
    this.#touch(kind);
  }

  /** Gives what was there. */
  remove(kind: FollowedKind, key: string): KubeObject | undefined {
    const old = this.#tables.get(kind)?.get(key);
    if (old === undefined) return undefined;
    this.#tables.get(kind)?.delete(key);
    this.#unfile(kind, key, old);
    this.#touch(kind);
    return old;
  }

  #touch(kind: FollowedKind): void {
    this.#versions.set(kind, (this.#versions.get(kind) ?? 0) + 1);
  }

  #file(kind: FollowedKind, key: string, object: KubeObject): void {
    if (kind === "EndpointSlice") {
      const service = serviceOf(object);
      const slices = this.#slices.get(service);
      if (slices === undefined) this.#slices.set(service, new Map([[key, object as EndpointSlice]]));
      else slices.set(key, object as EndpointSlice);
    } else if (kind === "Pod") {
      for (const address of podAddresses(object as Pod)) this.#podAt.set(address, object as Pod);
    }
  }

  #unfile(kind: FollowedKind, key: string, old: KubeObject): void {
    if (kind === "EndpointSlice") {
      const slices = this.#slices.get(serviceOf(old));
      slices?.delete(key);
      if (slices?.size === 0) this.#slices.delete(serviceOf(old));
    } else if (kind === "Pod") {
      for (const address of podAddresses(old as Pod)) if (this.#podAt.get(address) === old) this.#podAt.delete(address);
    }
  }
}

/** `ns/name` of the Service that a slice belongs to. */
export function serviceOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ""}/${metadata.labels?.[serviceNameLabel] ?? ""}`;
}
