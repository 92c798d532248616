/**
 * kube-proxy's place taken: one node's proxy against any cluster, in the network where this program runs. The stages are those of
 * upstream's cmd/kube-proxy/app/server.go.
 */
import { availableParallelism } from "node:os";
import { nodes, serviceCidrs } from "../../api/resources.ts";
import type { Node } from "../../api/types.ts";
import { createEventRecorder } from "../../client/event-recorder-impl.ts";
import type { Client } from "../../client/client.ts";
import { createInformerFactory } from "../../client/informer-factory.ts";
import type { Component, Readiness } from "../../component/component.ts";
import { loadLibc } from "../../host/syscalls/libc.ts";
import type { EventLoop } from "../../net/epoll/event-loop.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import type { MetricsRegistry } from "../../lib/metrics.ts";
import type { ProxySettings } from "../configuration/settings.ts";
import { ProxyHealth } from "../health/proxy-health.ts";
import type { OpenHttpPool } from "../http-pool.ts";
import { ServiceHealthServers } from "../health/service-health.ts";
import { createProxy, type Proxy } from "../proxy.ts";
import type { HandedOver } from "../backends/backend.ts";
import type { InheritedListeners } from "../backends/inherited.ts";
import { openCarrier } from "./carrier.ts";
import { offerHandover, seekHandover, type Handover } from "./handover.ts";
import { applySettings, localAddresses, setOomScore } from "./kernel.ts";
import { takeOwnership, type Ownership } from "./owner.ts";
import { isEligible, planNodeOf } from "./plan-node.ts";
import { healthz, keepServing, metricsPages } from "./servers.ts";
import { kernelSettings } from "./sysctls.ts";
import { healthPlaces, loopbackFamilies, nodeReference, rangesOf, selectorsOf, withoutManagedFields } from "./watched.ts";

export interface ProxyProgramOptions {
  readonly settings: ProxySettings;
  readonly nodeName: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
  /** As a KubeProxyConfiguration, for `/configz`. */
  readonly configuration: object;
  /** Ends where the mode cannot be had here, instead of taking the next best. */
  readonly strictMode: boolean;
  /** NodePorts at 127.0.0.1 and ::1 by sockets of this program, where the mode has none. */
  readonly localhostNodePorts?: boolean;
  /** Mode userspace: what balances requests. */
  readonly openHttpPool?: OpenHttpPool;
}

export interface ProxyProgram extends Component {
  readonly proxy: Proxy;
  /** Another proxy has this one's place, and what was begun here has ended: there is nothing left to do but stop. */
  readonly left: Promise<void>;
}

/** How long a start waits for this node's Node object before it goes on without (upstream: 30 s). */
const nodeWaitMs = 30_000;
/** How long a proxy whose place is taken still carries the connections that it has (mode userspace). */
const drainMs = 60_000;
/** How long it may take to give its name and ports back. */
const ownershipMs = 10_000;
/** Interfaces come and go; who looks has it cheap. */
const addressesMs = 10_000;

export async function startProxyProgram(options: ProxyProgramOptions): Promise<ProxyProgram> {
  const program = new Program(options);
  try {
    await program.start();
    return program;
  } catch (error) {
    await program.stop();
    throw error;
  }
}

class Program implements ProxyProgram {
  readonly name = "proxy";
  readonly #options: ProxyProgramOptions;
  readonly #stopping = new AbortController();
  readonly #closing: (() => Promise<void> | void)[] = [];
  readonly #stopProxy = async () => await this.#proxy?.stop();
  readonly left: Promise<void>;
  #left: () => void = () => {};
  #proxy: Proxy | undefined;
  #node: Node | undefined;

  constructor(options: ProxyProgramOptions) {
    this.#options = options;
    this.left = new Promise((resolve) => (this.#left = resolve));
  }

  get proxy(): Proxy {
    if (this.#proxy === undefined) throw new Error("the proxy has not been started");
    return this.#proxy;
  }

  async start(): Promise<void> {
    const { settings, nodeName, client, clock, log, metrics } = this.#options;
    // 1. The rules of this network are one proxy's.
    const handover = await this.#takePlace();
    setOomScore(settings.oomScoreAdj, log);
    applySettings(kernelSettings(settings, availableParallelism()), log);

    // 2. What is watched: of Services and slices those that concern a proxy, of nodes this one.
    const informers = createInformerFactory(client, { clock, log, selectors: selectorsOf(nodeName), transform: withoutManagedFields });
    this.#closing.push(() => informers.stop());
    const allNodes = () => {
      const every = createInformerFactory(client, { clock, log, transform: withoutManagedFields });
      every.start();
      this.#closing.push(() => every.stop());
      return every;
    };
    const recorder = createEventRecorder(client, "kube-proxy", { clock, log, host: nodeName });
    const nodeInformer = informers.informer(nodes);
    const ranges = informers.informer(serviceCidrs);
    this.#closing.push(
      nodeInformer.addHandlers({
        added: (node) => this.#nodeChanged(node),
        updated: (node) => this.#nodeChanged(node),
        deleted: () => this.#nodeChanged(undefined),
      }),
    );
    informers.start();
    await this.#untilNode(() => nodeInformer.waitForSync(this.#stopping.signal));

    // 3. The carrier of packets: a mode, or what stands in for it.
    const serviceCIDRs = settings.mode === "nftables" ? await rangesOf(ranges, this.#stopping.signal) : [];
    const carrier = await openCarrier({ settings, serviceCIDRs, strictMode: this.#options.strictMode, log });
    for (const warning of carrier.warnings) {
      log.warn(warning.message);
      recorder.event(nodeReference(nodeName), "Warning", warning.reason, warning.message);
    }

    const inherited = handover === undefined ? undefined : await this.#inherit(handover);

    // 4. The proxy, and those who ask after its health.
    const health = new ProxyHealth({ clock, timeoutMs: 2 * settings.syncPeriodMs, families: carrier.families });
    const serviceHealth = new ServiceHealthServers({
      places: async (port) => healthPlaces(settings, this.#planNode().nodePortAddresses, carrier.families).map((host) => ({ host, port })),
      healthy: () => health.healthy,
      nodeName,
      recorder,
      log,
    });
    const proxy = createProxy({
      informers,
      allNodes,
      node: this.#planNode(),
      clock,
      log,
      metrics,
      recorder,
      mode: carrier.mode,
      plan: { masqueradeAll: settings.masqueradeAll, externalIPs: settings.gates["AllowServiceExternalIPs"] !== false },
      ...carrier.options,
      ...(this.#options.localhostNodePorts === true ? { localhostNodePorts: loopbackFamilies(carrier, settings) } : {}),
      ...(inherited === undefined ? {} : { inherited }),
      ...(this.#options.openHttpPool === undefined ? {} : { openHttpPool: this.#options.openHttpPool }),
      minSyncPeriodMs: settings.minSyncPeriodMs,
      syncPeriodMs: settings.syncPeriodMs,
      health,
      serviceHealth,
    });
    this.#proxy = proxy;
    this.#closing.push(this.#stopProxy);
    await this.#serve(health, carrier.mode, (reason, message) => recorder.event(nodeReference(nodeName), "Warning", reason, message));
    await proxy.start();
    recorder.event(nodeReference(nodeName), "Normal", "Starting", "");

    const guard = () => proxy.setServiceCIDRs(ranges.lister.list().flatMap(({ spec }) => spec?.cidrs ?? []));
    if (carrier.mode === "nftables")
      this.#closing.push(ranges.addHandlers({ added: (_, initial) => initial || guard(), updated: guard, deleted: guard }));

    // 5. What another proxy has left goes when ours stands.
    void proxy.settled().then(async () => void (this.#stopping.signal.aborted || (await carrier.removeLeftovers())));
    this.#followAddresses();

    // 6. And when another comes to take this one's place, it finds what it needs.
    if (carrier.loop !== undefined) this.#offerPlace(carrier.loop, proxy, serviceHealth);
  }

  /** Or, in mode userspace, finds the proxy that will hand its place over. */
  async #takePlace(): Promise<Handover | undefined> {
    const { settings, clock } = this.#options;
    try {
      const ownership: Ownership = await takeOwnership(settings.mode);
      this.#closing.push(() => ownership.release());
      return undefined;
    } catch (error) {
      const libc = settings.mode === "userspace" ? loadLibc() : undefined;
      const handover = libc === undefined ? undefined : seekHandover(libc, clock);
      if (handover === undefined) throw error;
      return handover;
    }
  }

  async #inherit(handover: Handover): Promise<InheritedListeners | undefined> {
    const { clock, log } = this.#options;
    const inherited = await handover.take();
    log.info("taken over from another proxy", { listeners: inherited?.size ?? 0 });
    for (const until = clock.monotonic() + ownershipMs; ;) {
      try {
        const ownership: Ownership = await takeOwnership("userspace");
        this.#closing.unshift(() => ownership.release());
        return inherited;
      } catch (error) {
        if (clock.monotonic() > until) throw error;
        await pause(clock, 10, this.#stopping.signal);
      }
    }
  }

  #offerPlace(loop: EventLoop, proxy: Proxy, serviceHealth: ServiceHealthServers): void {
    let handed: HandedOver | undefined;
    const give = () => (handed = proxy.handOver())?.listeners ?? [];
    const leave = async () => {
      // The ports and the name first: the other one waits for them.
      for (const close of this.#closing.splice(0).reverse()) if (close !== this.#stopProxy) await close();
      await serviceHealth.stop();
      this.#closing.push(this.#stopProxy);
      await Promise.race([handed?.given(), pause(this.#options.clock, drainMs, this.#stopping.signal)]);
      this.#left();
    };
    this.#closing.push(offerHandover(loop, this.#options.log, give, () => void leave()));
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the proxy is stopping"));
    for (const close of this.#closing.splice(0).reverse()) await close();
  }

  ready(): Readiness {
    return this.#proxy?.ready() ?? { ready: false, reason: "it is starting" };
  }

  #planNode() {
    return planNodeOf({ name: this.#options.nodeName, node: this.#node, localAddresses: localAddresses() }, this.#options.settings);
  }

  #nodeChanged(node: Node | undefined): void {
    this.#node = node;
    this.#proxy?.setNode(this.#planNode());
  }

  /** A node that registers later than its proxy starts is waited for: its addresses and zone are wanted. */
  async #untilNode(synced: () => Promise<void>): Promise<void> {
    const { clock, log, nodeName } = this.#options;
    await synced();
    const until = clock.monotonic() + nodeWaitMs;
    while (this.#node === undefined && clock.monotonic() < until && !this.#stopping.signal.aborted)
      await pause(clock, 250, this.#stopping.signal);
    if (this.#node === undefined)
      log.error(`there is no Node ${nodeName}: its addresses, zone and pods are not known`, { hint: "--hostname-override" });
  }

  async #serve(health: ProxyHealth, mode: string, failed: (reason: string, message: string) => void): Promise<void> {
    const { settings, clock, log, metrics, configuration } = this.#options;
    const common = { clock, log, signal: this.#stopping.signal, hardFail: settings.bindAddressHardFail };
    const pages = [
      {
        name: "healthz",
        place: settings.healthz,
        answering: healthz({ health, eligible: () => isEligible(this.#node), metrics }),
        reason: "FailedToStartProxierHealthcheck",
      },
      {
        name: "metrics",
        place: settings.metrics,
        answering: metricsPages({ metrics, mode, configuration }),
        reason: "FailedToStartMetricServer",
      },
    ];
    for (const { name, place, answering, reason } of pages) {
      if (place === undefined) continue;
      this.#closing.push(await keepServing({ ...common, name, place, answering, failed: (message) => failed(reason, message) }));
    }
  }

  #followAddresses(): void {
    const { clock } = this.#options;
    let timer: Timer;
    const look = () => {
      timer = clock.after(addressesMs, () => {
        this.#proxy?.setNode(this.#planNode());
        look();
      });
    };
    look();
    this.#closing.push(() => timer.cancel());
  }
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(ms, resolve);
    signal.addEventListener("abort", () => (timer.cancel(), resolve()), { once: true });
  });
}
