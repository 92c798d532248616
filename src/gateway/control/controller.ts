/**
 * The Gateway API in a cluster: follows its objects once their definitions are installed, opens what Gateways want, serves it and
 * writes every status. Has an engine of its own: what happens here never touches Ingresses.
 */
import type { KubeObject } from "../../api/object.ts";
import { configMaps, endpointSlices, namespaces, secrets, services } from "../../api/resources.ts";
import type { EndpointSlice, Namespace, Service } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import type { InformerFactory } from "../../client/informer.ts";
import { isReady, type Component, type Readiness } from "../../component/component.ts";
import type { RouteTable } from "../../decide/routes/index.ts";
import { keyOf, type AnyRoute, type GatewayObject, type GatewayPlan, type ListenerSet } from "../../decide/routes/gateway-api/index.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import type { MetricsRegistry } from "../../lib/metrics.ts";
import type { Engine, EngineLimits, ListenerTls } from "../engine/engine.ts";
import { createEngine } from "../engine/create-engine.ts";
import type { NodeEngineOptions } from "../engine/node-engine.ts";
import type { Connect } from "../engine/upstream.ts";
import { requestMetrics } from "../metrics.ts";
import { assignAddresses, type AddressPool, type AssignedAddresses } from "./addresses.ts";
import { KindFollower } from "./follow.ts";
import { byService, informerWorld, serviceOfSlice } from "./informer-world.ts";
import { GatewayTracker, type GatewayTable } from "./gateway-tracker.ts";
import { listenerTls } from "./listener-tls.ts";
import { NamedByGateways } from "./named-objects.ts";
import type { Observers } from "../observers.ts";
import { PortKeeper } from "./port-keeper.ts";
import { neededKinds } from "./resources.ts";
import { GatewayStatusWriter } from "./status-writer.ts";
import { Statuses } from "./statuses.ts";

export const gatewayController = "fairlead.dev/gateway-controller";

export interface GatewayControllerOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** Reaches endpoints. Default: a plain connection of this process. */
  readonly connect?: Connect;
  /** As the gateway's. */
  readonly threads?: number;
  readonly udpTarget?: NodeEngineOptions["udpTarget"];
  readonly addresses: AddressPool;
  readonly limits?: Partial<EngineLimits>;
  /** Where the gateway is: endpoints with hints for it go first. Default: nowhere in particular. */
  readonly zone?: string;
  /** Component `fairlead-gateway`; absent: faults are in conditions only. */
  readonly recorder?: EventRecorder;
  /** Who is told of every request. Default: the metrics only. */
  readonly observers?: Observers;
  /** In [0, 1). Default: Math.random. */
  readonly random?: () => number;
  /** `spec.controllerName` of the classes that are ours. */
  readonly controllerName?: string;
  /** Makes a GatewayClass of this name when there is none; absent: that is the user's affair. */
  readonly defaultClass?: string;
}

export interface GatewayController extends Component {
  /** Every change seen so far is live. */
  settled(): Promise<void>;
  routeTable(): RouteTable;
}

export function createGatewayController(options: GatewayControllerOptions): GatewayController {
  return new Controller(options);
}

const sliceMs = 4;
const stopGraceMs = 1000;

class Controller implements GatewayController {
  readonly name = "gateway-api";
  readonly #options: GatewayControllerOptions;
  readonly #controllerName: string;
  readonly #log: Logger;
  readonly #engine: Engine;
  readonly #kinds: KindFollower;
  readonly #tracker: GatewayTracker;
  readonly #ports: PortKeeper;
  readonly #writer: GatewayStatusWriter;
  readonly #named = new NamedByGateways();
  readonly #tables = new Map<string, GatewayTable>();
  readonly #addresses = new Map<string, AssignedAddresses>();
  #begun = false;
  #timer: Timer | undefined;
  #stopped = false;
  #waiters: (() => void)[] = [];
  #unsubscribe: (() => void)[] = [];

  constructor(options: GatewayControllerOptions) {
    const { clock, random = Math.random, limits, client, metrics, connect, udpTarget } = options;
    this.#options = options;
    this.#controllerName = options.controllerName ?? gatewayController;
    this.#log = options.log.child("gateway-api");
    const count = requestMetrics(metrics);
    this.#engine = createEngine({
      clock,
      random,
      threads: options.threads,
      connect,
      ...(udpTarget === undefined ? {} : { udpTarget }),
      ...(limits === undefined ? {} : { limits }),
      observe: options.observers?.observe,
      onRequest: (record) => {
        count(record);
        options.observers?.request(record);
      },
    });
    this.#tracker = new GatewayTracker(
      informerWorld(options.informers, () => this.#kinds, { controllerName: this.#controllerName, zone: options.zone }),
    );
    this.#ports = new PortKeeper({
      engine: this.#engine,
      changed: (gateway) => this.#tell(gateway),
      log: (message, fields) => this.#log.info(message, fields),
    });
    this.#kinds = new KindFollower({ informers: options.informers, handlers: this.#handlers(), changed: () => this.#request() });
    const statuses = new Statuses({
      clock,
      controllerName: this.#controllerName,
      kinds: this.#kinds,
      tracker: this.#tracker,
      addresses: (key) => this.#addresses.get(key),
      bound: (key, name) => this.#ports.state(key, name),
    });
    this.#writer = new GatewayStatusWriter({
      client,
      clock,
      log: this.#log,
      wanted: (key) => statuses.wanted(key),
      recorder: options.recorder,
    });
  }

  async start(): Promise<void> {
    this.#kinds.start();
  }

  /** With the first Gateway's kind: before, nothing of this costs anything. */
  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    const { informers } = this.#options;
    const slices = informers.informer(endpointSlices);
    slices.addIndex(byService, serviceOfSlice);
    const changed = (work: () => void) => {
      work();
      this.#request();
    };
    const serviceChanged = ({ metadata }: Service) =>
      changed(() => this.#tracker.serviceChanged(metadata.namespace ?? "", metadata.name ?? ""));
    const sliceChanged = ({ metadata }: EndpointSlice) =>
      changed(() => this.#tracker.slicesChanged(metadata.namespace ?? "", metadata.labels?.["kubernetes.io/service-name"] ?? ""));
    const namespaceChanged = (namespace: Namespace, old?: Namespace) => {
      if (JSON.stringify(namespace.metadata.labels) !== JSON.stringify(old?.metadata.labels))
        changed(() => this.#tracker.everythingChanged());
    };
    const named = (kind: "Secret" | "ConfigMap") => (object: KubeObject) => {
      const gateways = this.#named.gatewaysOf(kind, keyOf(object));
      if (kind === "ConfigMap") changed(() => this.#tracker.policiesChanged(object.metadata.namespace ?? ""));
      if (gateways.length > 0) changed(() => this.#tracker.gatewaysChanged(gateways));
    };
    this.#unsubscribe.push(
      informers.informer(services).addHandlers(every(serviceChanged)),
      slices.addHandlers(every(sliceChanged)),
      informers
        .informer(namespaces)
        .addHandlers({ added: (each) => namespaceChanged(each), updated: namespaceChanged, deleted: (each) => namespaceChanged(each) }),
      informers.informer(secrets).addHandlers(every(named("Secret"))),
      informers.informer(configMaps).addHandlers(every(named("ConfigMap"))),
    );
    const all = [services, endpointSlices, namespaces, secrets, configMaps].map((each) => informers.informer(each as typeof services));
    void Promise.all(all.map((informer) => informer.waitForSync())).then(
      () => {
        this.#ready = true;
        this.#writer.keys.start();
        this.#request();
      },
      () => {},
    );
    void this.#makeDefaultClass();
  }

  #ready = false;

  async #makeDefaultClass(): Promise<void> {
    const { defaultClass, client } = this.#options;
    const resource = this.#kinds.resource("GatewayClass");
    if (defaultClass === undefined || resource === undefined) return;
    const object = {
      metadata: { name: defaultClass },
      spec: { controllerName: this.#controllerName, description: "Fairlead's own gateway" },
    };
    // It is there already, or the user may not: then nobody needs it.
    await client.create(resource, object as KubeObject).catch(() => {});
  }

  #handlers(): ConstructorParameters<typeof KindFollower>[0]["handlers"] {
    const then =
      <T>(work: (object: T) => void) =>
      (object: T) => {
        work(object);
        this.#request();
      };
    const both = <T>(set: (object: T) => void, remove: (object: T) => void) => ({
      added: then(set),
      updated: then(set),
      deleted: then(remove),
    });
    const route = both<AnyRoute & KubeObject>(
      (object) => this.#tracker.setRoute(object),
      (object) => this.#tracker.deleteRoute(object),
    );
    const anything = () => this.#tracker.everythingChanged();
    const classChanged = ({ metadata }: KubeObject) => {
      this.#writer.keys.add(`GatewayClass ${metadata.name}`);
      anything();
    };
    return {
      GatewayClass: {
        added: then(classChanged),
        updated: (object, old) => {
          this.#writer.keys.add(`GatewayClass ${object.metadata.name}`);
          if (object.metadata.generation !== old.metadata.generation) then(classChanged)(object);
        },
        deleted: then(classChanged),
      },
      Gateway: both<GatewayObject & KubeObject>(
        (object) => {
          this.#tracker.setGateway(object);
          this.#rename(keyOf(object));
        },
        (object) => {
          this.#tracker.deleteGateway(object);
          this.#named.set(keyOf(object), undefined, []);
        },
      ),
      ListenerSet: both<ListenerSet & KubeObject>(
        (object) => {
          this.#tracker.setListenerSet(object);
          this.#rename(`${object.spec.parentRef.namespace ?? object.metadata.namespace}/${object.spec.parentRef.name}`);
        },
        (object) => this.#tracker.deleteListenerSet(object),
      ),
      HTTPRoute: route,
      GRPCRoute: route,
      TLSRoute: route,
      TCPRoute: route,
      UDPRoute: route,
      ReferenceGrant: both(anything, anything),
      BackendTLSPolicy: policyHandlers(
        (namespace, old) => {
          if (old) this.#tracker.policiesChanged(namespace);
          this.#request();
        },
        (key) => this.#writer.keys.add(`BackendTLSPolicy ${key}`),
      ),
    } as ConstructorParameters<typeof KindFollower>[0]["handlers"];
  }

  /** Which Secrets and ConfigMaps a Gateway and its ListenerSets name. */
  #rename(key: string): void {
    this.#named.set(key, this.#tracker.objects().get(key), this.#tracker.setsOf(key));
  }

  /** Changes of one turn are taken in together. */
  #request(): void {
    if (this.#stopped || !neededKinds.every((kind) => this.#kinds.resource(kind) !== undefined)) return;
    this.#begin();
    this.#timer ??= this.#options.clock.after(0, () => this.#flush());
  }

  #flush(): void {
    this.#timer = undefined;
    if (this.#stopped || !this.#ready || !this.#kinds.synced) return;
    const { clock } = this.#options;
    const began = clock.monotonic();
    const change = this.#tracker.work(() => clock.monotonic() - began > sliceMs);
    if (change === undefined) return this.#request();
    const { gateways, backends, touched } = change;
    for (const [key, table] of gateways) this.#take(key, table);
    const renewed = gateways.size > 0 ? { routeTable: this.routeTable(), tls: this.#tls() } : {};
    this.#engine.publish({ backends, ...renewed });
    for (const key of gateways.keys()) this.#ports.keep(key, this.#addresses.get(key)?.addresses ?? [], this.#tables.get(key)?.ports ?? []);
    for (const done of this.#waiters.splice(0)) done();
    for (const key of touched.gateways) this.#tell(key);
    for (const key of touched.routes) this.#writer.keys.add(key);
    for (const key of touched.policies) this.#writer.keys.add(`BackendTLSPolicy ${key}`);
  }

  #take(key: string, table: GatewayTable | undefined): void {
    if (table === undefined) {
      this.#tables.delete(key);
      this.#addresses.delete(key);
      return;
    }
    this.#tables.set(key, table);
    const { spec, status } = (this.#tracker.gateway(key) as GatewayPlan).gateway;
    const taken = new Set([...this.#addresses].flatMap(([other, { addresses }]) => (other === key ? [] : addresses)));
    const wish = {
      wanted: (spec.addresses ?? []).map(({ value = "" }) => value),
      before: [...(this.#addresses.get(key)?.addresses ?? []), ...(status?.addresses ?? []).map(({ value = "" }) => value)],
    };
    this.#addresses.set(key, assignAddresses(this.#options.addresses, wish, taken));
  }

  routeTable(): RouteTable {
    const all = [...this.#tables.values()];
    return { kind: "RouteTable", listeners: all.flatMap(({ listeners }) => listeners), streams: all.flatMap(({ streams }) => streams) };
  }

  #tls(): ReadonlyMap<string, ListenerTls> {
    const { informers } = this.#options;
    const sources = {
      secret: (namespace: string, name: string) => informers.informer(secrets).lister.get(namespace, name),
      configMap: (namespace: string, name: string) => informers.informer(configMaps).lister.get(namespace, name),
    };
    const found = new Map<string, ListenerTls>();
    for (const { ports } of this.#tables.values()) {
      for (const port of ports) {
        const tls = listenerTls(port, sources);
        if (tls !== undefined) found.set(port.name, tls);
      }
    }
    return found;
  }

  /** A Gateway's status, and those of its ListenerSets. */
  #tell(key: string): void {
    this.#writer.keys.add(`Gateway ${key}`);
    for (const set of this.#tracker.setsOf(key)) this.#writer.keys.add(`ListenerSet ${keyOf(set)}`);
  }

  async settled(): Promise<void> {
    if (this.#timer !== undefined) await new Promise<void>((done) => this.#waiters.push(done));
    await this.#ports.settled();
    await this.#engine.settled();
  }

  ready(): Readiness {
    return isReady;
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#timer?.cancel();
    this.#kinds.stop();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    for (const done of this.#waiters.splice(0)) done();
    await this.#writer.keys.stop();
    await this.#engine.stop(stopGraceMs);
  }
}

function every<T>(changed: (object: T) => void) {
  return { added: changed, updated: changed, deleted: changed };
}

/** A policy's own status is no reason to work out anything again. */
function policyHandlers(changed: (namespace: string, spec: boolean) => void, tell: (key: string) => void) {
  const any = (object: KubeObject) => changed(object.metadata.namespace ?? "", true);
  return {
    added: any,
    deleted: any,
    updated: (object: KubeObject, old: KubeObject) => {
      tell(keyOf(object));
      changed(object.metadata.namespace ?? "", object.metadata.generation !== old.metadata.generation);
    },
  };
}
