/**
 * The gateway: follows Ingresses and what they name, works out the route table, and has the engine serve it. A change is live one
 * turn of the event loop after it was seen, swapped whole, without a reload: requests under way and WebSockets do not notice.
 * One Ingress that cannot be used never holds up another.
 */
import { endpointSlices, ingressClasses, ingresses, secrets, services } from "../api/resources.ts";
import type { EndpointSlice, IngressLoadBalancerIngress } from "../api/types.ts";
import type { Informer } from "../client/informer.ts";
import { isReady, type Readiness } from "../component/component.ts";
import {
  explain,
  ingressController,
  standInClasses,
  type ClassPolicy,
  type ObjectStatus,
  type RouteExplanation,
  type RouteProblem,
  type RouteRequest,
  type RouteTable,
} from "../decide/routes/index.ts";
import type { Timer } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { serveCertificates } from "./certificates.ts";
import type { Engine, EngineChange } from "./engine/engine.ts";
import { createEngine } from "./engine/create-engine.ts";
import type { Gateway, GatewayOptions, GatewayStatus } from "./options.ts";
import { openLocalAuthority, type LocalAuthority } from "./local-authority.ts";
import { gatewayMetrics, type GatewayMetrics } from "./metrics.ts";
import { defaultListenPlans, openListener, type GatewayAddress, type ListenPlan } from "./ports.ts";
import { ProblemReporter } from "./problem-reporter.ts";
import { RouteTracker, type TrackerChange } from "./route-tracker.ts";
import { StatusWriter } from "./status-writer.ts";
import { serveUsers } from "./users.ts";

export type { Gateway, GatewayOptions, GatewayStatus } from "./options.ts";

export function createGateway(options: GatewayOptions): Gateway {
  return new IngressGateway(options);
}

const defaultClasses: ClassPolicy = { controller: ingressController, standInFor: standInClasses, serveClassless: true };
const byService = "gateway/service";
/** Certificates of the local CA are renewed, and others looked at for their end, this often. */
const certificatePeriodMs = 6 * 3_600_000;
const stopGraceMs = 1000;
/** Work gives way to other work of the thread after this long. */
const sliceMs = 4;

class IngressGateway implements Gateway {
  readonly name = "gateway";
  readonly #options: GatewayOptions;
  readonly #log: Logger;
  readonly #engine: Engine;
  readonly #metrics: GatewayMetrics;
  readonly #tracker: RouteTracker;
  readonly #reporter: ProblemReporter;
  readonly #writer: StatusWriter;
  readonly #stopping = new AbortController();
  #addresses: readonly GatewayAddress[] = [];
  #authority: LocalAuthority | undefined;
  /** Ingress → what is wrong with the Secrets that it names. */
  #secretProblems: ReadonlyMap<string, readonly RouteProblem[]> = new Map();
  #secretsDirty = false;
  /** Ingresses whose status and problems people do not know yet. */
  readonly #untold = new Set<string>();
  #telling: Timer | undefined;
  #synced = false;
  #published = false;
  #timer: Timer | undefined;
  #daily: Timer | undefined;
  #waiters: (() => void)[] = [];
  #unsubscribe: (() => void)[] = [];

  constructor(options: GatewayOptions) {
    const { clock, random = Math.random, limits, informers, client } = options;
    this.#options = options;
    this.#log = options.log.child("gateway");
    this.#engine = createEngine({
      clock,
      random,
      threads: options.threads,
      connect: options.connect,
      reach: options.reach,
      ...(limits === undefined ? {} : { limits }),
      observe: options.observers?.observe,
      onRequest: (record) => {
        this.#metrics.request(record);
        options.observers?.request(record);
      },
    });
    this.#metrics = gatewayMetrics(options.metrics, () => this.#engine.stats());
    this.#reporter = new ProblemReporter(options.recorder, this.#log);
    this.#tracker = new RouteTracker({
      policy: { ...defaultClasses, ...options.classes },
      classes: () => informers.informer(ingressClasses).lister.list(),
      service: (namespace, name) => informers.informer(services).lister.get(namespace, name),
      slices: (namespace, name) => informers.informer(endpointSlices).lister.byIndex(byService, `${namespace}/${name}`),
      zone: options.zone,
    });
    this.#writer = new StatusWriter({
      client,
      clock,
      log: this.#log,
      ingress: (key) => informers.informer(ingresses).lister.getByKey(key),
      served: (key) => this.#tracker.status(key)?.verdict.kind === "served",
      addresses: () => this.#statusAddresses(),
    });
  }

  async start(): Promise<void> {
    const { clock, authorityDirectory, listen = defaultListenPlans } = this.#options;
    // 1. What clients connect to. Until the routes are known they are answered 503.
    this.#authority = await openLocalAuthority({ directory: authorityDirectory, now: () => clock.now() });
    this.#engine.publish(this.#serveSecrets(this.#authority));
    await this.#listen(listen);
    // 2. What it is all about. Not awaited: the informers may be started after the gateway.
    const informers = this.#follow();
    const signal = this.#stopping.signal;
    Promise.all(informers.map((informer) => informer.waitForSync(signal))).then(
      () => this.#begin(),
      (error: unknown) => void (signal.aborted || this.#log.error("Ingresses could not be read", { error: errorMessage(error) })),
    );
  }

  async #listen(plans: readonly ListenPlan[]): Promise<void> {
    try {
      for (const plan of plans) this.#addresses = [...this.#addresses, await openListener(this.#engine, plan)];
    } catch (error) {
      await this.#engine.stop();
      throw error;
    }
    for (const { protocol, host, port, standInFor } of this.#addresses) {
      const instead = standInFor === undefined ? {} : { insteadOf: standInFor.port, because: standInFor.why };
      this.#log.info(`${protocol} on ${host}:${port}`, instead);
    }
  }

  #follow(): readonly Pick<Informer<never>, "waitForSync">[] {
    const { informers } = this.#options;
    const followed = {
      ingresses: informers.informer(ingresses),
      classes: informers.informer(ingressClasses),
      services: informers.informer(services),
      slices: informers.informer(endpointSlices),
      secrets: informers.informer(secrets),
    };
    followed.slices.addIndex(byService, serviceOfSlice);
    const tracker = this.#tracker;
    const then = (change: () => void) => {
      change();
      this.#request();
    };
    const serviceChanged = (namespace = "", name = "") => then(() => tracker.serviceChanged(namespace, name));
    const sliceChanged = ({ metadata }: EndpointSlice) =>
      serviceChanged(metadata.namespace, metadata.labels?.["kubernetes.io/service-name"]);
    const secretChanged = () => then(() => (this.#secretsDirty = true));
    this.#unsubscribe = [
      followed.ingresses.addHandlers(
        every(
          (ingress) => then(() => tracker.setIngress(ingress)),
          (ingress) => then(() => tracker.deleteIngress(ingress)),
        ),
      ),
      followed.classes.addHandlers(every(() => then(() => tracker.classesChanged()))),
      followed.services.addHandlers(every(({ metadata }) => serviceChanged(metadata.namespace, metadata.name))),
      followed.slices.addHandlers(every(sliceChanged)),
      followed.secrets.addHandlers(
        every(({ metadata }) => (tracker.usesSecret(metadata.namespace, metadata.name) ? secretChanged() : undefined)),
      ),
    ];
    return Object.values(followed);
  }

  #begin(): void {
    this.#synced = true;
    this.#writer.keys.start();
    this.#secretsDirty = true;
    this.#flush();
    this.#lookAtCertificates();
  }

  #lookAtCertificates(): void {
    this.#daily = this.#options.clock.after(certificatePeriodMs, () => {
      this.#secretsDirty = true;
      this.#request();
      this.#lookAtCertificates();
    });
  }

  /** Changes of one turn are taken in together. */
  #request(): void {
    if (!this.#synced || this.#stopping.signal.aborted) return;
    this.#timer ??= this.#options.clock.after(0, () => this.#flush());
  }

  #flush(): void {
    const { clock } = this.#options;
    this.#timer = undefined;
    const began = clock.monotonic();
    const change = this.#tracker.work(() => clock.monotonic() - began > sliceMs);
    // The rest another turn: other work of this thread goes on in between.
    if (change === undefined) return this.#request();
    this.#publish(change, began);
  }

  #publish({ routeTable, backends, ingresses: touched }: TrackerChange, began: number): void {
    const before = this.#secretProblems;
    // A table without a rule is one too: from the first change on, what no rule takes is not found instead of not known yet.
    const table = routeTable ?? (this.#published ? undefined : this.#tracker.table());
    this.#published = true;
    const renewed = (routeTable !== undefined || this.#secretsDirty) && this.#authority !== undefined;
    const certificates = renewed ? this.#serveSecrets(this.#authority as LocalAuthority) : {};
    this.#secretsDirty = false;
    this.#engine.publish({ backends, ...(table === undefined ? {} : { routeTable: table }), ...certificates });
    this.#metrics.published((this.#options.clock.monotonic() - began) / 1000);
    for (const key of [...touched, ...before.keys(), ...this.#secretProblems.keys()]) this.#untold.add(key);
    for (const done of this.#waiters.splice(0)) done();
    this.#tellAll();
  }

  /** What people are told comes after what is served, and as slowly as it must. */
  #tellAll(): void {
    const { clock } = this.#options;
    const began = clock.monotonic();
    for (const key of this.#untold) {
      if (clock.monotonic() - began > sliceMs) {
        this.#telling ??= clock.after(0, () => {
          this.#telling = undefined;
          this.#tellAll();
        });
        return;
      }
      this.#untold.delete(key);
      this.#tell(key);
    }
  }

  #serveSecrets(authority: LocalAuthority): Pick<EngineChange, "certificates" | "users"> {
    const lister = this.#options.informers.informer(secrets).lister;
    const secret = (namespace: string, name: string) => lister.get(namespace, name);
    const now = this.#options.clock.now();
    const { certificates, problems } = serveCertificates(this.#tracker.certificates, this.#tracker.hosts, { secret, authority, now });
    const { users, problems: ofUsers } = serveUsers(this.#tracker.users(), secret);
    this.#secretProblems = Map.groupBy([...problems, ...ofUsers], ({ source }) => `${source.namespace}/${source.name}`);
    return { certificates, users };
  }

  #tell(key: string): void {
    this.#reporter.report(key, this.#tracker.ingress(key), this.#statusOf(key)?.problems ?? []);
    this.#writer.keys.add(key);
  }

  #statusOf(key: string): ObjectStatus | undefined {
    const status = this.#tracker.status(key);
    if (status === undefined) return undefined;
    return { ...status, problems: [...ownProblems(status), ...status.problems, ...(this.#secretProblems.get(key) ?? [])] };
  }

  #statusAddresses(): readonly IngressLoadBalancerIngress[] {
    if (this.#options.statusAddresses !== undefined) return this.#options.statusAddresses;
    const byHost = Map.groupBy(this.#addresses, ({ host }) => host);
    return [...byHost].map(([ip, ports]) => ({ ip, ports: ports.map(({ port }) => ({ port, protocol: "TCP" })) }));
  }

  get addresses(): readonly GatewayAddress[] {
    return this.#addresses;
  }

  status(): GatewayStatus {
    const { cert = "", path } = this.#authority ?? {};
    const all = [...this.#tracker.keys()].flatMap((key) => this.#statusOf(key) ?? []);
    return { ...this.#engine.stats(), addresses: this.#addresses, ingresses: all, authority: { cert, path } };
  }

  routeTable(): RouteTable {
    return this.#tracker.table();
  }

  explain(name: string, request: RouteRequest): RouteExplanation {
    const listener = this.routeTable().listeners.find((each) => each.name === name);
    return listener === undefined ? { chosen: undefined, candidates: [] } : explain(listener, request);
  }

  async settled(): Promise<void> {
    if (this.#timer !== undefined) await new Promise<void>((done) => this.#waiters.push(done));
    await this.#engine.settled();
  }

  ready(): Readiness {
    if (this.#addresses.length === 0) return { ready: false, reason: "no listener is open" };
    return this.#published ? isReady : { ready: false, reason: "waiting for Ingresses and what they name" };
  }

  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort(new Error("gateway stopped"));
    this.#timer?.cancel();
    this.#daily?.cancel();
    this.#telling?.cancel();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    for (const done of this.#waiters.splice(0)) done();
    await this.#writer.keys.stop();
    await this.#engine.stop(stopGraceMs);
    this.#addresses = [];
  }
}

function every<T>(changed: (object: T) => void, deleted: (object: T) => void = changed) {
  return { added: changed, updated: changed, deleted };
}

function serviceOfSlice({ metadata }: EndpointSlice): readonly string[] {
  const name = metadata.labels?.["kubernetes.io/service-name"];
  return name === undefined ? [] : [`${metadata.namespace}/${name}`];
}

/** An Ingress whose class exists nowhere waits for nobody: its owner should know. Another controller's are that one's affair. */
function ownProblems({ verdict, namespace, name }: ObjectStatus): readonly RouteProblem[] {
  if (verdict.kind === "served" || verdict.reason !== "IngressClassNotFound") return [];
  const source = { kind: "Ingress", namespace, name, field: "spec.ingressClassName" } as const;
  return [{ severity: "error", reason: verdict.reason, source, message: verdict.message }];
}
