/** The backends that are published, and which endpoint the next request goes to. */
import { backendKey, type Backend, type BackendProtocol, type BackendRef } from "../../decide/routes/index.ts";
import { Endpoint } from "./upstream.ts";

export type Choice =
  | { readonly kind: "endpoint"; readonly endpoint: Endpoint }
  | { readonly kind: "none"; readonly reason: string; readonly message: string };

interface Pool {
  readonly endpoints: readonly Endpoint[];
  /** Why there are none. */
  readonly reason: string;
  readonly message: string;
  readonly speaks: BackendProtocol;
  next: number;
}

export class Backends {
  readonly #pools = new Map<string, Pool>();
  /** Shared by all backends that have the address. */
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #random: () => number;

  /** `random`: in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  set(key: string, backend: Backend | null): void {
    const old = this.#pools.get(key);
    if (backend === null) this.#pools.delete(key);
    else this.#pools.set(key, this.#pool(backend, old));
    for (const endpoint of old?.endpoints ?? []) this.#drop(endpoint);
  }

  #pool(backend: Backend, old: Pool | undefined): Pool {
    if (backend.kind === "unusable") return { endpoints: [], reason: backend.reason, message: backend.message, speaks: "http1", next: 0 };
    const { speaks = "http1", tls } = backend;
    const endpoints = backend.endpoints.map((address) => {
      const made = new Endpoint(address, { speaks, tls });
      const endpoint = this.#endpoints.get(made.key) ?? made;
      this.#endpoints.set(made.key, endpoint);
      endpoint.references += 1;
      return endpoint;
    });
    // Several gateways, or one that starts often, must not all begin with the first.
    return { endpoints, reason: "NoEndpoints", message: "no endpoint", speaks, next: old?.next ?? Math.floor(this.#random() * 65_536) };
  }

  #drop(endpoint: Endpoint): void {
    endpoint.references -= 1;
    if (endpoint.references > 0) return;
    this.#endpoints.delete(endpoint.key);
    endpoint.drop();
  }

  /** How a backend's endpoints are spoken to. */
  speaks(ref: BackendRef): BackendProtocol {
    return ref.speaks ?? this.#pools.get(keyOf(ref))?.speaks ?? "http1";
  }

  /** A backend of the route: that of the session (`id`), or by weight. Undefined: it has none. */
  chooseBackend(refs: readonly BackendRef[], id?: string): BackendRef | undefined {
    if (refs.length <= 1) return refs[0];
    const own = id === undefined ? undefined : refs.find((ref) => this.#pools.get(keyOf(ref))?.endpoints.some((each) => each.id === id));
    if (own !== undefined) return own;
    const total = refs.reduce((sum, { weight }) => sum + weight, 0);
    let at = this.#random() * total;
    return refs.find(({ weight }) => (at -= weight) < 0);
  }

  /**
   * The next in turn, or its neighbour when that has fewer requests under way: even spread, and away from the slow. Those
   * that failed lately come last; `tried` ones not at all. `id`: of the session's endpoint, which goes before all others.
   */
  choose(ref: BackendRef, now: number, tried?: ReadonlySet<Endpoint>, id?: string): Choice {
    const pool = this.#pools.get(keyOf(ref));
    if (pool === undefined)
      return { kind: "none", reason: "ServiceNotFound", message: `Service ${ref.namespace}/${ref.name} is not known` };
    const { endpoints } = pool;
    if (endpoints.length === 0) return { kind: "none", reason: pool.reason, message: pool.message };
    const usable =
      tried === undefined && endpoints.every(({ avoidUntil }) => avoidUntil <= now) ? endpoints : preferred(endpoints, now, tried);
    if (usable.length === 0)
      return { kind: "none", reason: "EndpointsFailed", message: `no endpoint of Service ${ref.namespace}/${ref.name} can be reached` };
    const own = id === undefined ? undefined : usable.find((endpoint) => endpoint.id === id);
    if (own !== undefined) return { kind: "endpoint", endpoint: own };
    const [first, second] = [usable[pool.next % usable.length] as Endpoint, usable[(pool.next + 1) % usable.length] as Endpoint];
    pool.next = (pool.next + 1) % 0x4000_0000;
    return { kind: "endpoint", endpoint: second.active < first.active ? second : first };
  }
}

function preferred(endpoints: readonly Endpoint[], now: number, tried: ReadonlySet<Endpoint> | undefined): readonly Endpoint[] {
  const untried = endpoints.filter((endpoint) => tried?.has(endpoint) !== true);
  const well = untried.filter(({ avoidUntil }) => avoidUntil <= now);
  return well.length > 0 ? well : untried;
}

const keys = new WeakMap<BackendRef, string>();

/** `backendKey`, made once for each reference of a table. */
function keyOf(ref: BackendRef): string {
  let key = keys.get(ref);
  if (key === undefined) keys.set(ref, (key = backendKey(ref)));
  return key;
}
