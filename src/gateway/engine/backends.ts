/** The backends that are published, and which endpoint the next request goes to. */
import {
  backendKey,
  type Backend,
  type BackendEndpoint,
  type BackendProtocol,
  type BackendRef,
  type BalancePolicy,
  type TemplateRequest,
} from "../../decide/routes/index.ts";
import { pick } from "./balancing.ts";
import { judge, RetryBudget } from "./endpoint-health.ts";
import { Endpoint, type Speech } from "./upstream.ts";

export type Choice =
  | { readonly kind: "endpoint"; readonly endpoint: Endpoint }
  | { readonly kind: "none"; readonly reason: string; readonly message: string };

interface Pool {
  readonly endpoints: readonly Endpoint[];
  /** Why there are none. */
  readonly reason: string;
  readonly message: string;
  readonly speaks: BackendProtocol;
  readonly balance: BalancePolicy | undefined;
  readonly slowStartMs: number;
  /** Endpoints that joined others, and when each was first asked for. */
  readonly warming: Map<Endpoint, number | undefined>;
  readonly budget: RetryBudget;
  next: number;
}

/** What a choice depends on. */
export interface Choosing {
  readonly request: TemplateRequest;
  /** Endpoints that are not asked again. */
  readonly tried?: ReadonlySet<Endpoint> | undefined;
  /** Of the session's endpoint, which goes before all others. */
  readonly session?: string | undefined;
}

export interface BackendsOptions {
  /** In [0, 1). */
  readonly random: () => number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** In place of the backends' policies. `endpoints`: at least one, of which it gives one. */
  readonly choose?: ChooseEndpoint | undefined;
}

export type ChooseEndpoint = (endpoints: readonly Endpoint[], request: TemplateRequest) => Endpoint;

/** The least share of its turns that an endpoint gets while it starts. */
const leastShare = 0.1;

export class Backends {
  readonly #pools = new Map<string, Pool>();
  /** Shared by all backends that have the address. */
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #options: BackendsOptions;

  constructor(options: BackendsOptions) {
    this.#options = options;
  }

  set(key: string, backend: Backend | null): void {
    const old = this.#pools.get(key);
    if (backend === null) this.#pools.delete(key);
    else this.#pools.set(key, this.#pool(backend, old));
    for (const endpoint of old?.endpoints ?? []) this.#drop(endpoint);
  }

  #pool(backend: Backend, old: Pool | undefined): Pool {
    const { random, now } = this.#options;
    // Several gateways, or one that starts often, must not all begin with the first.
    const kept = { next: old?.next ?? Math.floor(random() * 65_536), budget: old?.budget ?? new RetryBudget(now()) };
    if (backend.kind === "unusable") {
      const { reason, message } = backend;
      return { ...kept, endpoints: [], reason, message, speaks: "http1", balance: undefined, slowStartMs: 0, warming: new Map() };
    }
    const { speaks = "http1", tls, tuning = {} } = backend;
    const { balance, slowStartMs = 0, proxyProtocol } = tuning;
    const endpoints = backend.endpoints.map((address) => this.#endpoint(address, { speaks, tls, proxyProtocol }));
    const warming = slowStartMs === 0 ? new Map<Endpoint, number | undefined>() : joined(endpoints, old);
    return { ...kept, endpoints, reason: "NoEndpoints", message: "no endpoint", speaks, balance, slowStartMs, warming };
  }

  #endpoint(address: BackendEndpoint, speech: Speech): Endpoint {
    const made = new Endpoint(address, speech);
    const endpoint = this.#endpoints.get(made.key) ?? made;
    this.#endpoints.set(made.key, endpoint);
    endpoint.references += 1;
    return endpoint;
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
    let at = this.#options.random() * total;
    return refs.find(({ weight }) => (at -= weight) < 0);
  }

  /**
   * By the backend's policy (`balancing.ts`): the next in turn unless it says otherwise. Endpoints that failed lately come last, those
   * that have been tried not at all, those that start get the fewer turns the younger they are. `now`: the sweeper's, which is coarse.
   */
  choose(ref: BackendRef, now: number, { request, tried, session }: Choosing): Choice {
    const pool = this.#pools.get(keyOf(ref));
    if (pool === undefined)
      return { kind: "none", reason: "ServiceNotFound", message: `Service ${ref.namespace}/${ref.name} is not known` };
    const { endpoints } = pool;
    if (tried === undefined) pool.budget.deposit();
    if (endpoints.length === 0) return { kind: "none", reason: pool.reason, message: pool.message };
    const usable =
      tried === undefined && endpoints.every(({ avoidUntil }) => avoidUntil <= now) ? endpoints : preferred(endpoints, now, tried);
    if (usable.length === 0)
      return { kind: "none", reason: "EndpointsFailed", message: `no endpoint of Service ${ref.namespace}/${ref.name} can be reached` };
    const own = session === undefined ? undefined : usable.find((endpoint) => endpoint.id === session);
    if (own !== undefined) return { kind: "endpoint", endpoint: own };
    if (this.#options.choose !== undefined) return { kind: "endpoint", endpoint: this.#options.choose(usable, request) };
    const asked = { request, ...this.#options };
    const chosen = pick(ref.balance ?? pool.balance, usable, pool, asked);
    if (pool.warming.size === 0 || !this.#isEarly(pool, chosen)) return { kind: "endpoint", endpoint: chosen };
    const warm = usable.filter((endpoint) => !pool.warming.has(endpoint));
    return { kind: "endpoint", endpoint: warm.length === 0 ? chosen : pick(ref.balance ?? pool.balance, warm, pool, asked) };
  }

  /** Whether an endpoint that starts gives this turn to another. */
  #isEarly({ warming, slowStartMs }: Pool, endpoint: Endpoint): boolean {
    if (!warming.has(endpoint)) return false;
    const now = this.#options.now();
    const since = warming.get(endpoint) ?? now;
    warming.set(endpoint, since);
    const part = (now - since) / slowStartMs;
    if (part >= 1) warming.delete(endpoint);
    return this.#options.random() >= Math.max(leastShare, part);
  }

  /** What became of a request, or of one try of it. */
  judge(ref: BackendRef, endpoint: Endpoint, fault: boolean, now: number): void {
    // A success without a fault before it is what nearly all are.
    if (fault || endpoint.health.faults > 0) judge(endpoint, fault, this.#pools.get(keyOf(ref))?.endpoints ?? [], now);
  }

  /** Whether the backend bears another try; it is then counted. */
  mayRetry(ref: BackendRef): boolean {
    return this.#pools.get(keyOf(ref))?.budget.withdraw(this.#options.now()) ?? true;
  }

  /** Whether answers' times are wanted. */
  measures(ref: BackendRef): boolean {
    return (ref.balance ?? this.#pools.get(keyOf(ref))?.balance)?.kind === "ewma";
  }
}

/** Those that are new beside others: a backend that begins as a whole has nobody who could do their part. */
function joined(endpoints: readonly Endpoint[], old: Pool | undefined): Map<Endpoint, number | undefined> {
  if (old === undefined || old.endpoints.length === 0) return new Map();
  const before = new Set(old.endpoints);
  return new Map(endpoints.flatMap((each) => (!before.has(each) || old.warming.has(each) ? [[each, old.warming.get(each)] as const] : [])));
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
