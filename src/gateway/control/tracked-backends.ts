/** The Services that routes lead to, and what each comes to: worked out again when it, its endpoints or its policy change. */
import type { Service } from "../../api/types.ts";
import { backendKey, matchesPort, resolveBackend, type Backend, type BackendRef } from "../../decide/routes/index.ts";
import type { PolicyIndex } from "../../decide/routes/gateway-api/index.ts";
import type { TrackerWorld } from "./gateway-tracker.ts";
import { MultiMap } from "./multi-map.ts";

interface Tracked {
  readonly ref: BackendRef;
  /** Routes that lead there. */
  readonly users: Set<string>;
  backend: Backend | undefined;
}

export type BackendWorld = Pick<TrackerWorld, "service" | "slices" | "zone"> & {
  /** BackendTLSPolicies of a namespace. */
  readonly policies: (namespace: string) => PolicyIndex | undefined;
};

export class TrackedBackends {
  readonly #world: BackendWorld;
  readonly #backends = new Map<string, Tracked>();
  readonly #ofService = new MultiMap();
  readonly #dirty = new Set<string>();
  #changed = new Map<string, Backend | null>();

  constructor(world: BackendWorld) {
    this.#world = world;
  }

  /** Those that are to be worked out again. */
  get dirty(): Set<string> {
    return this.#dirty;
  }

  /** `namespace/name`. */
  serviceChanged(service: string): void {
    for (const key of this.#ofService.get(service)) this.#dirty.add(key);
  }

  use(user: string, ref: BackendRef): void {
    if (ref.refused !== undefined) return;
    const key = backendKey(ref);
    let tracked = this.#backends.get(key);
    if (tracked === undefined) this.#backends.set(key, (tracked = { ref, users: new Set(), backend: undefined }));
    tracked.users.add(user);
    this.#ofService.add(`${ref.namespace}/${ref.name}`, key);
    this.#dirty.add(key);
  }

  release(user: string, ref: BackendRef): void {
    const key = backendKey(ref);
    this.#backends.get(key)?.users.delete(user);
    this.#dirty.add(key);
  }

  resolve(key: string): void {
    const tracked = this.#backends.get(key);
    if (tracked === undefined) return;
    const { ref, users } = tracked;
    if (users.size === 0) {
      this.#backends.delete(key);
      this.#ofService.delete(`${ref.namespace}/${ref.name}`, key);
      this.#changed.set(key, null);
      return;
    }
    const backend = this.#backendOf(ref);
    if (JSON.stringify(backend) === JSON.stringify(tracked.backend)) return;
    tracked.backend = backend;
    this.#changed.set(key, backend);
  }

  #backendOf(ref: BackendRef): Backend {
    const { service: find, slices, zone, policies } = this.#world;
    const { namespace, name } = ref;
    const service = find(namespace, name);
    const port = portOf(service, ref);
    const policy = port === undefined ? undefined : policies(namespace)?.forPort(`${namespace}/${name}`, port);
    if (policy !== undefined && policy.tls === undefined)
      return { kind: "unusable", reason: "BackendTLS", message: `BackendTLSPolicy ${policy.key}: ${policy.resolvedRefs.message}` };
    return resolveBackend(ref, service, slices(namespace, name), { tls: policy?.tls, zone });
  }

  /** What has changed since the last call; null: gone. */
  take(): ReadonlyMap<string, Backend | null> {
    const changed = this.#changed;
    this.#changed = new Map();
    return changed;
  }
}

function portOf(service: Service | undefined, { port: wanted }: BackendRef) {
  return service?.spec?.ports?.find((port) => matchesPort(wanted, port));
}
