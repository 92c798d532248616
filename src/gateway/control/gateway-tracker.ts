/**
 * The Gateway API's part of the route table as it follows the API: keeps what each object came to, and works out again only what a
 * change touches. The decisions are those of `decide/routes/gateway-api`.
 */
import type { EndpointSlice } from "../../api/types.ts";
import type { Backend, Listener, StreamListener } from "../../decide/routes/index.ts";
import {
  gatewayPorts,
  httpListener,
  isOurs,
  keyOf,
  planGateway,
  planPolicies,
  planRoute,
  streamListener,
  type AnyRoute,
  type GatewayObject,
  type GatewayPlan,
  type GatewayPort,
  type GatewayWorld,
  type ListenerSet,
  type PolicyIndex,
  type PolicyPlan,
  type RoutePlan,
} from "../../decide/routes/gateway-api/index.ts";
import { AttachmentIndex } from "./attachment-index.ts";
import { MultiMap } from "./multi-map.ts";
import { TrackedBackends } from "./tracked-backends.ts";

export interface TrackerWorld extends GatewayWorld {
  readonly slices: (namespace: string, name: string) => readonly EndpointSlice[];
  /** Where the gateway is. */
  readonly zone?: string | undefined;
}

export interface GatewayChange {
  /** By Gateway: its ports now; absent: as before. */
  readonly gateways: ReadonlyMap<string, GatewayTable | undefined>;
  readonly backends: ReadonlyMap<string, Backend | null>;
  /** Whose status may be another now. */
  readonly touched: {
    readonly gateways: ReadonlySet<string>;
    readonly routes: ReadonlySet<string>;
    readonly policies: ReadonlySet<string>;
  };
}

/** What a Gateway adds to the route table. */
export interface GatewayTable {
  readonly ports: readonly GatewayPort[];
  readonly listeners: readonly Listener[];
  readonly streams: readonly StreamListener[];
}

export class GatewayTracker {
  readonly #world: TrackerWorld;
  readonly #gateways = new Map<string, GatewayObject>();
  readonly #sets = new Map<string, ListenerSet>();
  readonly #setsOf = new MultiMap();
  readonly #plans = new Map<string, GatewayPlan>();
  readonly #routes = new Map<string, AnyRoute>();
  readonly #routePlans = new Map<string, RoutePlan>();
  /** `Gateway shop/edge` → keys of routes that name it. */
  readonly #routesOfParent = new MultiMap();
  readonly #routesOfService = new MultiMap();
  readonly #backends: TrackedBackends;
  readonly #index = new AttachmentIndex();
  readonly #policies = new Map<string, PolicyIndex>();
  readonly #dirtyGateways = new Set<string>();
  readonly #dirtyRoutes = new Set<string>();
  readonly #dirtyPolicies = new Set<string>();
  readonly #dirtyTables = new Set<string>();
  // What the next change will hold.
  #touchedGateways = new Set<string>();
  #touchedRoutes = new Set<string>();
  #touchedPolicies = new Set<string>();

  constructor(world: TrackerWorld) {
    this.#world = world;
    const { service, slices, zone } = world;
    this.#backends = new TrackedBackends({ service, slices, zone, policies: (namespace) => this.#policies.get(namespace) });
  }

  setGateway(gateway: GatewayObject): void {
    const key = keyOf(gateway);
    const old = this.#gateways.get(key);
    this.#gateways.set(key, gateway);
    if (!onlyStatus(old, gateway)) return void this.#dirtyGateways.add(key);
    const plan = this.#plans.get(key);
    if (plan !== undefined) this.#plans.set(key, { ...plan, gateway });
    this.#touchedGateways.add(key);
  }

  deleteGateway(gateway: GatewayObject): void {
    this.#gateways.delete(keyOf(gateway));
    this.#dirtyGateways.add(keyOf(gateway));
  }

  setListenerSet(set: ListenerSet): void {
    const key = keyOf(set);
    const old = this.#sets.get(key);
    this.#sets.set(key, set);
    if (old !== undefined) this.#setsOf.delete(gatewayOf(old), key);
    this.#setsOf.add(gatewayOf(set), key);
    if (!onlyStatus(old, set)) {
      if (old !== undefined) this.#dirtyGateways.add(gatewayOf(old));
      return void this.#dirtyGateways.add(gatewayOf(set));
    }
    const plan = this.#plans.get(gatewayOf(set));
    if (plan !== undefined)
      this.#plans.set(plan.key, { ...plan, sets: plan.sets.map((each) => (each.key === key ? { ...each, set } : each)) });
    this.#touchedGateways.add(gatewayOf(set));
  }

  deleteListenerSet(set: ListenerSet): void {
    this.#sets.delete(keyOf(set));
    this.#setsOf.delete(gatewayOf(set), keyOf(set));
    this.#dirtyGateways.add(gatewayOf(set));
  }

  setRoute(route: AnyRoute): void {
    const key = routeKey(route);
    const old = this.#routes.get(key);
    this.#routes.set(key, route);
    const plan = this.#routePlans.get(key);
    if (plan !== undefined && onlyStatus(old, route)) {
      this.#routePlans.set(key, { ...plan, route });
      this.#touchedRoutes.add(key);
      return;
    }
    if (old !== undefined) for (const parent of parentsOf(old)) this.#routesOfParent.delete(parent, key);
    for (const parent of parentsOf(route)) this.#routesOfParent.add(parent, key);
    this.#dirtyRoutes.add(key);
  }

  deleteRoute(route: AnyRoute): void {
    const key = routeKey(route);
    this.#routes.delete(key);
    for (const parent of parentsOf(route)) this.#routesOfParent.delete(parent, key);
    this.#dirtyRoutes.add(key);
  }

  /** The Service itself: whether it is there, and its ports. */
  serviceChanged(namespace: string, name: string): void {
    for (const key of this.#routesOfService.get(`${namespace}/${name}`)) this.#dirtyRoutes.add(key);
    this.slicesChanged(namespace, name);
    if (this.#policies.has(namespace)) this.policiesChanged(namespace);
  }

  slicesChanged(namespace: string, name: string): void {
    this.#backends.serviceChanged(`${namespace}/${name}`);
  }

  /** A BackendTLSPolicy of the namespace, or a ConfigMap that one may name. */
  policiesChanged(namespace: string): void {
    this.#dirtyPolicies.add(namespace);
  }

  /** Secrets and ConfigMaps that these Gateways name. */
  gatewaysChanged(keys: Iterable<string>): void {
    for (const key of keys) this.#dirtyGateways.add(key);
  }

  /** Classes, ReferenceGrants, labels of Namespaces: seldom, and anything may depend on them. */
  everythingChanged(): void {
    for (const key of this.#gateways.keys()) this.#dirtyGateways.add(key);
    for (const key of this.#routes.keys()) this.#dirtyRoutes.add(key);
    for (const namespace of this.#policies.keys()) this.#dirtyPolicies.add(namespace);
  }

  /** Step by step, until all is done or `enough` says so. Gives the change when all is done. */
  work(enough: () => boolean): GatewayChange | undefined {
    while (this.#step()) if (enough()) return undefined;
    return this.#take();
  }

  /** One object; false: nothing is left to do. */
  #step(): boolean {
    return (
      this.#next(this.#dirtyPolicies, (namespace) => this.#planPolicies(namespace)) ||
      this.#next(this.#dirtyGateways, (key) => this.#planGateway(key)) ||
      this.#next(this.#dirtyRoutes, (key) => this.#planRoute(key)) ||
      this.#next(this.#backends.dirty, (key) => this.#backends.resolve(key)) ||
      this.#index.mergeNext()
    );
  }

  #next(dirty: Set<string>, work: (key: string) => void): boolean {
    for (const key of dirty) {
      dirty.delete(key);
      work(key);
      return true;
    }
    return false;
  }

  #planPolicies(namespace: string): void {
    const before = this.#policies.get(namespace)?.plans ?? [];
    const all = this.#world.backendTlsPolicies(namespace);
    const next = planPolicies(all, this.#world);
    if (all.length === 0) this.#policies.delete(namespace);
    else this.#policies.set(namespace, next);
    for (const { services, key } of [...before, ...next.plans]) {
      this.#touchedPolicies.add(key);
      for (const service of services) {
        for (const route of this.#routesOfService.get(service)) this.#dirtyRoutes.add(route);
        this.#backends.serviceChanged(service);
      }
    }
  }

  #planGateway(key: string): void {
    const gateway = this.#gateways.get(key);
    const sets = [...this.#setsOf.get(key)].flatMap((each) => this.#sets.get(each) ?? []);
    if (gateway === undefined || !isOurs(gateway, this.#world)) this.#plans.delete(key);
    else this.#plans.set(key, planGateway(gateway, sets, this.#world));
    this.#touchedGateways.add(key);
    this.#dirtyTables.add(key);
    for (const parent of [`Gateway ${key}`, ...sets.map((set) => `ListenerSet ${keyOf(set)}`)]) {
      for (const route of this.#routesOfParent.get(parent)) this.#dirtyRoutes.add(route);
    }
  }

  #planRoute(key: string): void {
    const route = this.#routes.get(key);
    const old = this.#routePlans.get(key);
    const next = route === undefined ? undefined : planRoute(route, this.#parents, this.#world);
    if (next === undefined) this.#routePlans.delete(key);
    else this.#routePlans.set(key, next);
    for (const service of old?.services ?? []) this.#routesOfService.delete(service, key);
    for (const service of next?.services ?? []) this.#routesOfService.add(service, key);
    for (const ref of old?.backends ?? []) this.#backends.release(key, ref);
    for (const ref of next?.backends ?? []) this.#backends.use(key, ref);
    this.#touchedRoutes.add(key);
    for (const gateway of this.#index.replace(old, next)) {
      this.#dirtyTables.add(gateway);
      this.#touchedGateways.add(gateway);
    }
    for (const service of [...(old?.services ?? []), ...(next?.services ?? [])]) this.#touchPoliciesOf(service);
  }

  readonly #parents = {
    gateway: (key: string) => this.#plans.get(key),
    gatewayOfSet: (key: string) => {
      const set = this.#sets.get(key);
      return set === undefined ? undefined : this.#plans.get(gatewayOf(set));
    },
    namespaceLabels: (name: string) => this.#world.namespaceLabels(name),
  };

  #touchPoliciesOf(service: string): void {
    const namespace = service.slice(0, service.indexOf("/"));
    for (const { services, key } of this.#policies.get(namespace)?.plans ?? [])
      if (services.includes(service)) this.#touchedPolicies.add(key);
  }

  #take(): GatewayChange {
    const gateways = new Map([...this.#dirtyTables].map((key) => [key, this.#table(key)]));
    const change = {
      gateways,
      backends: this.#backends.take(),
      touched: { gateways: this.#touchedGateways, routes: this.#touchedRoutes, policies: this.#touchedPolicies },
    };
    this.#dirtyTables.clear();
    this.#touchedGateways = new Set();
    this.#touchedRoutes = new Set();
    this.#touchedPolicies = new Set();
    return change;
  }

  #table(key: string): GatewayTable | undefined {
    const plan = this.#plans.get(key);
    if (plan === undefined) return undefined;
    const ports = gatewayPorts(plan);
    return {
      ports,
      listeners: ports.flatMap((port) => httpListener(port, (id) => this.#index.hostsOf(id)) ?? []),
      streams: ports.flatMap((port) => streamListener(port, (id) => this.#index.streamsOf(id)) ?? []),
    };
  }

  // What is asked about statuses.

  gateway(key: string): GatewayPlan | undefined {
    return this.#plans.get(key);
  }

  gateways(): Iterable<GatewayPlan> {
    return this.#plans.values();
  }

  route(key: string): RoutePlan | undefined {
    return this.#routePlans.get(key);
  }

  attachedRoutes(listener: string): number {
    return this.#index.attached(listener);
  }

  policy(key: string): PolicyPlan | undefined {
    return this.#policies.get(key.slice(0, key.indexOf("/")))?.plans.find((plan) => plan.key === key);
  }

  /** Keys of the Gateways whose routes lead to one of these Services. */
  gatewaysOf(services: readonly string[]): readonly string[] {
    const found = new Set<string>();
    for (const service of services) {
      for (const key of this.#routesOfService.get(service)) {
        for (const { gateway, accepted } of this.#routePlans.get(key)?.parents ?? []) if (accepted.status === "True") found.add(gateway);
      }
    }
    return [...found].toSorted();
  }

  /** Keys of all Gateways that are ours or not, with what they are. */
  objects(): ReadonlyMap<string, GatewayObject> {
    return this.#gateways;
  }

  setsOf(key: string): readonly ListenerSet[] {
    return [...this.#setsOf.get(key)].flatMap((each) => this.#sets.get(each) ?? []);
  }
}

export function routeKey(route: AnyRoute): string {
  return `${route.kind} ${keyOf(route)}`;
}

/** Key of the Gateway that a ListenerSet names. */
function gatewayOf({ spec, metadata }: ListenerSet): string {
  return `${spec.parentRef.namespace ?? metadata.namespace}/${spec.parentRef.name}`;
}

function parentsOf({ spec, metadata }: AnyRoute): readonly string[] {
  return (spec.parentRefs ?? []).map(({ kind = "Gateway", namespace, name }) => `${kind} ${namespace ?? metadata.namespace}/${name}`);
}

interface Versioned {
  readonly metadata: { readonly uid?: string | undefined; readonly generation?: number | undefined };
}

function onlyStatus(old: Versioned | undefined, next: Versioned): boolean {
  return old !== undefined && old.metadata.uid === next.metadata.uid && old.metadata.generation === next.metadata.generation;
}
