/**
 * The proxy: follows Services and EndpointSlices, plans the Services that changed, and has a backend carry the plans out.
 * A change is live a timer turn after it was seen; a Service that cannot be planned or applied never holds up another.
 */
import { endpointSlices, services } from "../api/resources.ts";
import { objectKey } from "../api/object.ts";
import { isReady, type Component, type Readiness } from "../component/component.ts";
import { planService, topologyKeysOf, type PlanNode, type PlanOptions, type ProxyPlan, type ServicePlan } from "../decide/proxy/index.ts";
import type { Timer } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import { backendOptions } from "./backend-options.ts";
import type {
  AddressProblem,
  Applied,
  Backend,
  CarriedConnections,
  DialResult,
  DialTarget,
  HandedOver,
  ServiceChange,
} from "./backends/backend.ts";
import { createBackend } from "./backends/index.ts";
import { proxyMetrics, type ProxyMetrics } from "./metrics.ts";
import { NodeLabels } from "./node-labels.ts";
import { Problems } from "./problems.ts";
import type { ProxyOptions } from "./proxy-options.ts";
import { BoundedFrequencyRunner } from "./runner.ts";
import { trafficProblems } from "./traffic-problems.ts";
import { ServiceTracker, type PendingChange } from "./tracker.ts";

export interface ProxyStatus {
  readonly mode: string;
  /** Services in the plan, and why others are not. */
  readonly services: number;
  readonly skipped: readonly { readonly service: string; readonly reason: string }[];
  /** Virtual addresses that are open. */
  readonly served: number;
  /** Virtual addresses that are not, with what to do. */
  readonly problems: readonly (AddressProblem & { readonly service: string })[];
}

export interface Proxy extends Component {
  status(): ProxyStatus;
  /** The whole plan as it is now. */
  plan(): ProxyPlan;
  /** Connects to a virtual address by the plan, whether or not the address is open. */
  dial(target: DialTarget): Promise<DialResult>;
  /** What this process has carried itself; in modes of the kernel nothing. */
  traffic(): readonly CarriedConnections[];
  /** The node has another address, or is in another zone: everything is planned again. */
  setNode(node: PlanNode): void;
  /** The Services' ranges, which mode nftables guards, are others. */
  setServiceCIDRs(serviceCIDRs: readonly string[]): void;
  /** Resolves when every change seen so far is live. */
  settled(): Promise<void>;
  /** What another proxy may take over. Absent in modes whose rules stay by themselves. */
  handOver(): HandedOver | undefined;
}

export function createProxy(options: ProxyOptions): Proxy {
  return new MetaProxier(options);
}

/** A sync gives way to other work after this long (the control thread never works longer at a stretch). */
const sliceMs = 4;
/** Given to the backend together, which makes as many transactions of them as it likes. */
const servicesAtOnce = 256;
const usualSyncPeriodMs = 10_000;
/** A Service that fails to apply is tried again after this, doubling up to the second. */
const retry = { firstMs: 1000, maxMs: 30_000 };

class MetaProxier implements Proxy {
  readonly name = "proxy";
  readonly #options: ProxyOptions;
  readonly #backend: Backend;
  readonly #metrics: ProxyMetrics;
  readonly #tracker: ServiceTracker;
  readonly #runner: BoundedFrequencyRunner;
  readonly #problems: Problems;
  readonly #planner: NonNullable<ProxyOptions["planner"]>;
  readonly #plans = new Map<string, ServicePlan>();
  readonly #failures = new Map<string, number>();
  readonly #waiters = new Set<() => void>();
  readonly #stopping = new AbortController();
  readonly #nodeLabels: NodeLabels;
  #node: PlanNode;
  #unsubscribe: (() => void)[] = [];
  #synced = false;
  #syncing = false;
  #healDue = false;
  #healTimer: Timer | undefined;
  #firstSyncDone = false;

  constructor(options: ProxyOptions) {
    const { clock, metrics, node, recorder } = options;
    const log = options.log.child("proxy");
    this.#options = { ...options, log };
    this.#node = node;
    this.#nodeLabels = new NodeLabels({ informers: options.allNodes ?? (() => options.informers), changed: () => this.#nodesChanged() });
    const plan: PlanOptions = { ...options.plan, labelsOf: (name) => this.#nodeLabels.of(name) };
    this.#planner = options.planner ?? ((service, slices) => planService(service, slices, this.#node, plan));
    this.#metrics = proxyMetrics(metrics, options.kernel?.families ?? options.iptables?.families ?? options.ipvs?.families);
    this.#tracker = new ServiceTracker(() => this.#request());
    this.#runner = new BoundedFrequencyRunner({ run: () => this.#sync(), clock, minIntervalMs: options.minSyncPeriodMs ?? 0 });
    this.#problems = new Problems({ clock, log, recorder, again: (key) => this.#tracker.mark(key) });
    this.#backend = createBackend(options.mode ?? "userspace", backendOptions(this.#options, this.#metrics));
  }

  async start(): Promise<void> {
    const { informers, log } = this.#options;
    const [serviceInformer, sliceInformer] = [informers.informer(services), informers.informer(endpointSlices)];
    const tracker = this.#tracker;
    this.#unsubscribe = [
      serviceInformer.addHandlers({
        added: (service) => tracker.setService(service),
        updated: (service) => tracker.setService(service),
        deleted: (service) => tracker.deleteService(service),
      }),
      sliceInformer.addHandlers({
        added: (slice) => tracker.setSlice(slice),
        updated: (slice, old) => tracker.setSlice(slice, old),
        deleted: (slice) => tracker.deleteSlice(slice),
      }),
    ];
    const signal = this.#stopping.signal;
    // Not awaited: the informers may be started after the proxy. Before both lists are in, a Service would look as if it had no endpoints.
    Promise.all([serviceInformer.waitForSync(signal), sliceInformer.waitForSync(signal)]).then(
      () => this.#begin(),
      (error: unknown) =>
        void (signal.aborted || log.error("Services and EndpointSlices could not be read", { error: errorMessage(error) })),
    );
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the proxy is stopping"));
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#unsubscribe = [];
    this.#nodeLabels.stop();
    this.#problems.stop();
    this.#healTimer?.cancel();
    await this.#runner.stop();
    await this.#options.serviceHealth?.stop();
    await this.#backend.stop();
    for (const plan of this.#plans.values()) this.#metrics.planned(plan, undefined);
    this.#wake();
  }

  ready(): Readiness {
    if (this.#firstSyncDone) return isReady;
    return { ready: false, reason: this.#synced ? "the Services are being set up" : "Services and EndpointSlices have not been read yet" };
  }

  status(): ProxyStatus {
    const plans = [...this.#plans.values()];
    return {
      mode: this.#backend.mode,
      services: plans.filter(({ kind }) => kind === "service").length,
      skipped: plans.flatMap((plan) =>
        plan.kind === "skipped" ? [{ service: `${plan.namespace}/${plan.name}`, reason: plan.reason }] : [],
      ),
      served: this.#backend.served,
      problems: [...this.#problems.entries()].flatMap(([service, problems]) => problems.map((problem) => ({ service, ...problem }))),
    };
  }

  plan(): ProxyPlan {
    const sorted = [...this.#plans.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
    return { kind: "plan", node: this.#node, services: sorted.map(([, plan]) => plan) };
  }

  traffic(): readonly CarriedConnections[] {
    return this.#backend.traffic?.() ?? [];
  }

  setNode(node: PlanNode): void {
    if (sameNode(this.#node, node)) return;
    this.#node = node;
    this.#backend.setNode?.(node);
    for (const service of this.#tracker.services()) this.#tracker.mark(objectKey(service));
  }

  setServiceCIDRs(serviceCIDRs: readonly string[]): void {
    this.#backend.setServiceCIDRs?.(serviceCIDRs);
    // Where there is no Service there is nothing to guard yet.
    for (const service of this.#tracker.services()) return this.#tracker.mark(objectKey(service));
  }

  #nodesChanged(): void {
    for (const service of this.#tracker.services()) if (topologyKeysOf(service) !== undefined) this.#tracker.mark(objectKey(service));
  }

  dial(target: DialTarget): Promise<DialResult> {
    return this.#backend.dial(target);
  }

  handOver(): HandedOver | undefined {
    return this.#backend.handOver?.();
  }

  async settled(): Promise<void> {
    while (!this.#stopping.signal.aborted && (!this.#firstSyncDone || this.#syncing || this.#tracker.isPending)) {
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
    await this.#options.serviceHealth?.settled();
  }

  #begin(): void {
    this.#synced = true;
    this.#runner.request();
    if (this.#backend.heal !== undefined) this.#healLater();
  }

  #healLater(): void {
    this.#healTimer = this.#options.clock.after(this.#options.syncPeriodMs ?? usualSyncPeriodMs, () => {
      this.#healDue = true;
      this.#runner.request();
      this.#healLater();
    });
  }

  /** Within a sync, so that nothing is applied meanwhile. */
  async #heal(): Promise<void> {
    if (!this.#healDue || this.#stopping.signal.aborted) return;
    this.#healDue = false;
    try {
      if (await this.#backend.heal?.()) this.#options.log.warn("the proxy's rules were gone and have been set up again");
    } catch (error) {
      this.#options.log.error("the proxy's rules are gone and cannot be set up again", { error: errorMessage(error) });
    }
  }

  #request(): void {
    this.#metrics.lastQueued.set(this.#options.clock.now() / 1000);
    this.#options.health?.queued();
    if (this.#synced) this.#runner.request();
  }

  async #sync(): Promise<void> {
    const { clock } = this.#options;
    const started = clock.monotonic();
    this.#syncing = true;
    await this.#heal();
    const changes = this.#tracker.take();
    let pause = started + sliceMs;
    let planned: ServiceChange[] = [];
    let applied = changes.length === 0;
    for (const [i, { key }] of changes.entries()) {
      planned.push(...this.#plan(key));
      const isLast = i === changes.length - 1;
      if (isLast || (planned.length >= servicesAtOnce && this.#backend.wholesale !== true)) {
        applied = (await this.#apply(planned)) || applied;
        planned = [];
      }
      if (isLast || clock.monotonic() < pause) continue;
      // Not a timer, whose least time is a quarter of such a slice.
      await new Promise((resolve) => setImmediate(resolve));
      pause = clock.monotonic() + sliceMs;
    }
    if (!this.#firstSyncDone) await this.#completed();
    for (const key of this.#backend.takeReleased()) this.#tracker.mark(key);
    // A look at what stands is no sync, unless it is the first.
    if (changes.length > 0 || !this.#firstSyncDone) this.#observe(changes, started);
    // Where nothing at all goes in the rules are behind, and whoever asks for the proxy's health should know.
    if (applied) this.#options.health?.updated();
    this.#syncing = false;
    this.#firstSyncDone = true;
    this.#wake();
  }

  async #completed(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    try {
      await this.#backend.completed?.();
    } catch (error) {
      this.#options.log.error("rules of before could not be taken away", { error: errorMessage(error) });
    }
  }

  /** Fails only for itself. */
  #plan(key: string): readonly ServiceChange[] {
    if (this.#stopping.signal.aborted) return [];
    const service = this.#tracker.service(key);
    try {
      const plan = service === undefined ? undefined : this.#planner(service, this.#tracker.slices(key));
      this.#metrics.planned(this.#plans.get(key), plan);
      if (plan === undefined) this.#plans.delete(key);
      else this.#plans.set(key, plan);
      return [{ key, plan }];
    } catch (error) {
      this.#failed(key, error);
      return [];
    }
  }

  /** Whether any of them went in. */
  async #apply(changes: readonly ServiceChange[]): Promise<boolean> {
    if (this.#stopping.signal.aborted || changes.length === 0) return false;
    let any = false;
    for (const { key, plan } of changes) {
      this.#options.serviceHealth?.set(key, plan?.kind === "service" ? plan.healthCheck : undefined, this.#tracker.service(key));
    }
    for (const result of await applyAll(this.#backend, changes)) {
      if (result.kind === "failed") {
        this.#failed(result.key, result.error);
        continue;
      }
      const problems = [
        ...result.problems,
        ...trafficProblems(this.#plans.get(result.key), {
          mode: this.#backend.mode,
          balancesRequests: this.#options.openHttpPool !== undefined,
        }),
      ];
      this.#problems.set(result.key, problems, this.#tracker.service(result.key));
      this.#failures.delete(result.key);
      any = true;
    }
    return any;
  }

  #failed(key: string, error: unknown): void {
    const { clock, log, recorder } = this.#options;
    const count = this.#failures.get(key) ?? 0;
    this.#failures.set(key, count + 1);
    const waitMs = Math.min(retry.firstMs * 2 ** count, retry.maxMs);
    const service = this.#tracker.service(key);
    log.error("a Service could not be set up", { service: key, error: errorMessage(error), retryMs: waitMs });
    if (service !== undefined)
      recorder?.event(service, "Warning", "FailedToSync", `The proxy cannot set up this Service: ${errorMessage(error)}`);
    clock.after(waitMs, () => void (this.#stopping.signal.aborted || this.#tracker.mark(key)));
  }

  #observe(changes: readonly PendingChange[], started: number): void {
    const { clock } = this.#options;
    const metrics = this.#metrics;
    const [now, time] = [clock.now(), clock.monotonic()];
    metrics.syncDuration.observe((time - started) / 1000);
    metrics.lastSync.set(now / 1000);
    for (const { services: serviceChanges, endpoints, triggered } of changes) {
      metrics.serviceChanges.inc(serviceChanges);
      metrics.endpointChanges.inc(endpoints);
      if (triggered !== undefined) metrics.networkProgrammingDuration.observe(Math.max(0, now - triggered) / 1000);
    }
    const pending = [...this.#tracker.pending];
    metrics.pendingServiceChanges.set(pending.filter((change) => change.services > 0).length);
    metrics.pendingEndpointChanges.set(pending.filter((change) => change.endpoints > 0).length);
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }
}

function sameNode(a: PlanNode, b: PlanNode): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

async function applyAll(backend: Backend, changes: readonly ServiceChange[]): Promise<readonly Applied[]> {
  if (backend.applyAll !== undefined) return await backend.applyAll(changes);
  const results: Applied[] = [];
  for (const { key, plan } of changes) {
    try {
      results.push({ key, kind: "applied", problems: await backend.apply(key, plan) });
    } catch (error) {
      results.push({ key, kind: "failed", error });
    }
  }
  return results;
}
