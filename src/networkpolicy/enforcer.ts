/** Follows NetworkPolicies, pods and namespaces, and has one node's kernel hold to them. See README.md beside this file. */
import { objectKey } from "../api/object.ts";
import { namespaces, networkPolicies, pods } from "../api/resources.ts";
import type { InformerFactory } from "../client/informer.ts";
import { isReady, type Component, type Readiness } from "../component/component.ts";
import { PolicyRenderer, PolicyTracker, policyPodOf, type PolicyChange, type PolicyPod } from "../decide/networkpolicy/index.ts";
import type { Nftables } from "../host/nftables/nftables.ts";
import type { Clock, Timer } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { IpFamily } from "../lib/ip.ts";
import type { Logger } from "../lib/log.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";

export interface PolicyEnforcerOptions {
  readonly node: string;
  readonly informers: InformerFactory;
  /** Of the node's namespace; closed when the enforcer stops. */
  readonly nftables: Nftables;
  readonly families: readonly IpFamily[];
  /** What policies name as a pod and is none. */
  readonly standIns?: readonly PolicyPod[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
}

export interface PolicyEnforcer extends Component {
  /** Resolves when the kernel holds every change seen so far. */
  settled(): Promise<void>;
}

/** The control thread never works longer at a stretch. */
const sliceMs = 4;
const retry = { firstMs: 1000, maxMs: 30_000 };
const tableFamily = { 4: "ip", 6: "ip6" } as const;

export function createPolicyEnforcer(options: PolicyEnforcerOptions): PolicyEnforcer {
  return new Enforcer(options);
}

class Enforcer implements PolicyEnforcer {
  readonly name = "networkpolicy";
  readonly #options: PolicyEnforcerOptions;
  readonly #tracker = new PolicyTracker();
  readonly #stopping = new AbortController();
  readonly #waiters = new Set<() => void>();
  readonly #isolated: { set(value: number): void };
  readonly #failed: { inc(): void };
  #renderers: readonly PolicyRenderer[] = [];
  #unsubscribe: readonly (() => void)[] = [];
  #timer: Timer | undefined;
  #failures = 0;
  #synced = false;
  /** The kernel's table is what the renderers believe. */
  #intact = false;

  constructor(options: PolicyEnforcerOptions) {
    const { metrics, node, log } = options;
    this.#options = { ...options, log: log.child("networkpolicy") };
    this.#isolated = metrics
      .gauge("fairlead_networkpolicy_isolated_addresses", "Addresses of the node's pods that policies are about.", ["node"])
      .labels(node);
    this.#failed = metrics
      .counter("fairlead_networkpolicy_sync_failures_total", "Transactions that the kernel refused.", ["node"])
      .labels(node);
  }

  async start(): Promise<void> {
    const { informers, log, standIns = [] } = this.#options;
    const tracker = this.#tracker;
    for (const pod of standIns) tracker.setPod(pod.key, pod);
    const [ofPolicies, ofPods, ofNamespaces] = [
      informers.informer(networkPolicies),
      informers.informer(pods),
      informers.informer(namespaces),
    ];
    this.#unsubscribe = [
      ofNamespaces.addHandlers({
        added: ({ metadata }) => this.#changed(() => tracker.setNamespace(metadata.name ?? "", metadata.labels ?? {})),
        updated: ({ metadata }) => this.#changed(() => tracker.setNamespace(metadata.name ?? "", metadata.labels ?? {})),
        deleted: ({ metadata }) => this.#changed(() => tracker.setNamespace(metadata.name ?? "", undefined)),
      }),
      ofPods.addHandlers({
        added: (pod) => this.#changed(() => tracker.setPod(objectKey(pod), policyPodOf(pod))),
        updated: (pod) => this.#changed(() => tracker.setPod(objectKey(pod), policyPodOf(pod))),
        deleted: (pod) => this.#changed(() => tracker.setPod(objectKey(pod), undefined)),
      }),
      ofPolicies.addHandlers({
        added: (policy) => this.#changed(() => tracker.setPolicy(objectKey(policy), policy)),
        updated: (policy) => this.#changed(() => tracker.setPolicy(objectKey(policy), policy)),
        deleted: (policy) => this.#changed(() => tracker.setPolicy(objectKey(policy), undefined)),
      }),
    ];
    const { signal } = this.#stopping;
    // Not awaited: the informers may be started later. With half of the pods known, a policy would refuse the others.
    Promise.all([ofPolicies, ofPods, ofNamespaces].map((informer) => informer.waitForSync(signal))).then(
      () => {
        this.#synced = true;
        this.#sync();
      },
      (error: unknown) => void (signal.aborted || log.error("NetworkPolicies could not be read", { error: errorMessage(error) })),
    );
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the enforcer is stopping"));
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#timer?.cancel();
    this.#options.nftables.close();
    this.#wake();
  }

  ready(): Readiness {
    return this.#intact ? isReady : { ready: false, reason: "NetworkPolicies are not in force yet" };
  }

  async settled(): Promise<void> {
    while (!this.#stopping.signal.aborted && (!this.#intact || this.#tracker.isPending)) {
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  #changed(note: () => void): void {
    note();
    if (this.#synced && this.#tracker.isPending) this.#later(0);
  }

  #later(ms: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer ??= this.#options.clock.after(ms, () => {
      this.#timer = undefined;
      this.#sync();
    });
  }

  #sync(): void {
    const { nftables, log } = this.#options;
    try {
      const begin = !this.#intact;
      if (begin) this.#forget();
      const changes = this.#take(begin ? Number.POSITIVE_INFINITY : sliceMs);
      // One transaction, so that a table that is built anew never lets everything pass.
      for (const renderer of this.#renderers) nftables.commit([...(begin ? renderer.begin() : []), ...renderer.change(changes)]);
      this.#intact = true;
      this.#failures = 0;
      this.#isolated.set(this.#renderers.reduce((sum, { isolated }) => sum + isolated, 0));
      if (this.#tracker.isPending) this.#later(0);
    } catch (error) {
      this.#intact = false;
      this.#failed.inc();
      const waitMs = Math.min(retry.firstMs * 2 ** this.#failures++, retry.maxMs);
      log.error("NetworkPolicies could not be carried out", { error: errorMessage(error), retryMs: waitMs });
      this.#later(waitMs);
    }
    this.#wake();
  }

  /** What the kernel holds is not known: everything is rendered again. */
  #forget(): void {
    this.#renderers = this.#options.families.map((family) => new PolicyRenderer(this.#options.node, tableFamily[family]));
    this.#tracker.all();
  }

  #take(forMs: number): readonly PolicyChange[] {
    const { clock } = this.#options;
    const until = clock.monotonic() + forMs;
    const changes: PolicyChange[] = [];
    do changes.push(...this.#tracker.take(1));
    while (this.#tracker.isPending && clock.monotonic() < until);
    return changes;
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }
}
