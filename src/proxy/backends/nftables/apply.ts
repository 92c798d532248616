/**
 * The nftables backend: what the renderer says, sent to the kernel of a node's network namespace. See README.md beside this file.
 * Holds in memory what the kernel holds: a change costs that change. The kernel is asked what it holds at the start, to take over an
 * earlier proxy's tables, and when somebody else has been at them.
 */
import type { PlanNode, ServicePlan, VirtualAddress } from "../../../decide/proxy/index.ts";
import {
  NftablesRenderer,
  type NftablesOptions,
  type ServiceChange as Rendered,
  type TakenAddress,
} from "../../../decide/proxy/render/nftables.ts";
import { OperationBuilder } from "../../../decide/proxy/render/operations.ts";
import { NotAdoptable } from "../../../decide/proxy/render/nftables-adoption.ts";
import { splitOperations } from "../../../decide/proxy/render/split.ts";
import type { Conntrack } from "../../../host/conntrack/conntrack.ts";
import type { Nftables } from "../../../host/nftables/nftables.ts";
import { errnoCode, errorMessage } from "../../../lib/errors.ts";
import { joinHostPort, type IpFamily } from "../../../lib/ip.ts";
import type { Logger } from "../../../lib/log.ts";
import { familyLabel, type NftablesMetrics } from "../../mode-metrics.ts";
import { StaleFlows } from "../../stale-flows.ts";
import type { AddressProblem, Applied, Backend, DialResult, DialTarget, ServiceChange } from "../backend.ts";
import { dialThroughKernel, type KernelConnect } from "../kernel-dial.ts";
import { KernelTables, nextTurn } from "./tables.ts";

/** The kernel of one network namespace. */
export interface KernelOptions {
  readonly nftables: Nftables;
  /** Absent: UDP clients of an endpoint that has left stay with it until they pause, and ports of clients of a dead one lead there. */
  readonly conntrack?: Conntrack;
  /** Where Services may get addresses: those that none has are dropped. */
  readonly serviceCIDRs: readonly string[];
  /** Those that the kernel has. Default: both. */
  readonly families?: readonly IpFamily[];
  /** Connects from inside the namespace, where the rules are. Absent: `dial` is refused. */
  readonly connect?: KernelConnect;
  /** False for addresses that are not of this network. Default: all but 127.0.0.0/8 and ::1. */
  readonly serves?: (address: VirtualAddress) => boolean;
  readonly metrics?: NftablesMetrics;
  readonly log?: Logger;
}

export interface NftablesBackendOptions extends KernelOptions {
  readonly node: PlanNode;
}

/** Of one transaction: the kernel works it off in one go, in some 2 ms, while nothing else runs on this thread. */
const transactionElements = 400;

/** The kernel lacks what we put there, or has what we did not: somebody else was at it. */
const driftCodes: ReadonlySet<string> = new Set(["ENOENT", "EEXIST", "EBUSY"]);

export class NftablesBackend implements Backend {
  readonly mode = "nftables";
  #options: NftablesBackendOptions;
  readonly #tables: KernelTables;
  #renderer: NftablesRenderer;
  /** Whether the kernel holds what the renderer believes. Not at first, and not after somebody else has changed the table. */
  #ready = false;
  /** What the kernel does now. */
  readonly #plans = new Map<string, ServicePlan>();
  readonly #released = new Set<string>();
  #nodeChanged = false;
  #rangesChanged = false;
  readonly #stale: StaleFlows | undefined;

  constructor(options: NftablesBackendOptions) {
    this.#options = options;
    this.#renderer = this.#makeRenderer();
    this.#tables = new KernelTables(options.nftables, transactionElements * 2);
    this.#stale = options.conntrack === undefined ? undefined : new StaleFlows(options.conntrack, options);
  }

  get served(): number {
    return this.#renderer.served;
  }

  async apply(key: string, plan: ServicePlan | undefined): Promise<readonly AddressProblem[]> {
    const [result] = await this.applyAll([{ key, plan }]);
    if (result?.kind === "failed") throw result.error;
    return result?.problems ?? [];
  }

  async applyAll(changes: readonly ServiceChange[]): Promise<readonly Applied[]> {
    const results: Applied[] = [];
    try {
      if (!this.#ready) await this.#restore();
    } catch (error) {
      return changes.map(({ key }) => ({ key, kind: "failed", error }));
    }
    for (let from = 0; from < changes.length;) {
      if (from > 0) await nextTurn();
      const sent = await this.#sendSome(changes, from);
      results.push(...sent);
      from += sent.length;
    }
    return results;
  }

  /** One small question, unless somebody else has changed something: then the tables are read and mended. */
  async heal(): Promise<boolean> {
    if (this.#plans.size === 0 || (this.#ready && !this.#tables.meddled)) return false;
    const before = this.#tables.sent;
    this.#ready = false;
    await this.#restore();
    return this.#tables.sent > before;
  }

  /** All Services have been applied once: what an earlier proxy has left of others goes. */
  async completed(): Promise<void> {
    try {
      if (!this.#ready) await this.#restore();
      this.#renderer.forgetFormer();
      await this.#tables.finish();
    } catch (error) {
      this.#ready = false;
      this.#failed("cleanupFailures");
      throw error;
    }
  }

  setServiceCIDRs(serviceCIDRs: readonly string[]): void {
    this.#options = { ...this.#options, serviceCIDRs };
    this.#rangesChanged = true;
  }

  setNode(node: PlanNode): void {
    this.#options = { ...this.#options, node };
    this.#nodeChanged = true;
  }

  /** As many Services as make a transaction; at least one. */
  async #sendSome(changes: readonly ServiceChange[], from: number): Promise<readonly Applied[]> {
    const builder = new OperationBuilder();
    const some: ServiceChange[] = [];
    const rendered: Rendered[] = [];
    try {
      if (this.#nodeChanged) this.#renderer.setNode(this.#options.node, builder);
      if (this.#rangesChanged) this.#renderer.setServiceCIDRs(this.#options.serviceCIDRs, builder);
      for (let i = from; i < changes.length && builder.elements < transactionElements; i++) {
        const change = changes[i] as ServiceChange;
        some.push(change);
        rendered.push(this.#renderer.change(change.key, change.plan, builder));
      }
      await this.#commit(builder);
      this.#nodeChanged = false;
      this.#rangesChanged = false;
    } catch (error) {
      this.#renderer.refused();
      this.#failed("syncFailures");
      // Of a table that is not as we think, no part can be right: all are tried again, on a new one.
      if (!this.#ready || some.length === 1) return some.map(({ key }) => ({ key, kind: "failed", error }));
      const each: Applied[] = [];
      for (const change of some) each.push(...(await this.#sendSome([change], 0)));
      return each;
    }
    this.#forgetStale(some);
    return some.map((change, i) => this.#applied(change, rendered[i] as Rendered));
  }

  async #commit(builder: OperationBuilder): Promise<void> {
    let sent = 0;
    const started = performance.now();
    try {
      for (const part of splitOperations(builder.finish(), transactionElements * 2)) {
        if (sent > 0) await nextTurn();
        this.#tables.commit(part);
        sent += 1;
      }
      this.#renderer.committed();
      if (this.#ready) this.#took("partialSync", started);
    } catch (error) {
      if (sent > 0 || error instanceof NotAdoptable || driftCodes.has(errnoCode(error) ?? "")) this.#ready = false;
      throw error;
    }
  }

  /** Makes the kernel hold what the renderer believes, by as little as may be. */
  async #restore(): Promise<void> {
    const started = performance.now();
    try {
      if (!(await (this.#plans.size === 0 ? this.#adopt() : this.#mend()))) await this.#rebuild();
    } catch (error) {
      this.#options.log?.warn("the tables in the kernel cannot be mended, and are made anew", { error: errorMessage(error) });
      await this.#rebuild();
    }
    this.#ready = true;
    this.#took("fullSync", started);
  }

  #failed(which: "syncFailures" | "cleanupFailures"): void {
    for (const family of this.#families) this.#options.metrics?.[which].labels(familyLabel(family)).inc();
  }

  #took(which: "fullSync" | "partialSync", started: number): void {
    const seconds = (performance.now() - started) / 1000;
    for (const family of this.#families) this.#options.metrics?.[which].labels(familyLabel(family)).observe(seconds);
  }

  get #families(): readonly IpFamily[] {
    return this.#options.families ?? [4, 6];
  }

  /** An earlier proxy's tables: until `completed` only differences are sent. False: there are none. */
  async #adopt(): Promise<boolean> {
    const former = await this.#tables.adopt(this.#renderer.tables());
    if (former === undefined) return false;
    this.#renderer = this.#makeRenderer(former);
    this.#tables.commit(this.#renderer.base());
    return true;
  }

  /** Our own, which somebody else has changed. False: they are gone. */
  async #mend(): Promise<boolean> {
    if ((await this.#tables.adopt(this.#renderer.tables())) === undefined) return false;
    for (const operations of this.#renderer.snapshot(transactionElements)) {
      for (const part of splitOperations(operations, transactionElements * 2)) this.#tables.commit(part);
      await nextTurn();
    }
    await this.#tables.finish();
    return true;
  }

  /** The tables anew, with every Service that was in them. */
  async #rebuild(): Promise<void> {
    this.#tables.abandon();
    this.#renderer = this.#makeRenderer();
    this.#tables.commit(this.#renderer.base());
    for (const changes of chunks(
      [...this.#plans].map(([key, plan]) => ({ key, plan })),
      64,
    )) {
      const builder = new OperationBuilder();
      for (const { key, plan } of changes)
        for (const service of this.#renderer.change(key, plan, builder).again) this.#released.add(service);
      await this.#commit(builder);
      await nextTurn();
    }
  }

  #applied({ key, plan }: ServiceChange, { taken, again }: Rendered): Applied {
    if (plan === undefined) this.#plans.delete(key);
    else this.#plans.set(key, plan);
    for (const service of again) this.#released.add(service);
    return { key, kind: "applied", problems: taken.map(takenProblem) };
  }

  /** After the rules are in force, so that the next packet of such a flow meets the new ones. */
  #forgetStale(changes: readonly ServiceChange[]): void {
    try {
      for (const { key, plan } of changes) this.#stale?.changed(this.#plans.get(key), plan);
      this.#stale?.flush();
    } catch (error) {
      // The rules stand; the clients concerned come to them when they pause.
      this.#options.log?.warn("flows to endpoints that have left could not be removed", { error: errorMessage(error) });
    }
  }

  dial(target: DialTarget): Promise<DialResult> {
    const { ip, port, protocol } = target;
    return dialThroughKernel(this.#renderer.servicePortAt({ protocol, address: ip, port }), target, this.#options.connect);
  }

  takeReleased(): readonly string[] {
    const released = [...this.#released];
    this.#released.clear();
    return released;
  }

  /** The rules stay: connections go on, and the next start takes over. `cleanup` removes them. */
  async stop(): Promise<void> {
    this.#options.nftables.close();
    this.#stale?.close();
  }

  #makeRenderer(former?: NftablesOptions["former"]): NftablesRenderer {
    const { node, serviceCIDRs, families, serves = notLoopback } = this.#options;
    return new NftablesRenderer({
      node,
      serviceCIDRs,
      serves,
      ...(families === undefined ? {} : { families }),
      ...(former === undefined ? {} : { former }),
    });
  }
}

function notLoopback({ address }: VirtualAddress): boolean {
  return !address.startsWith("127.") && address !== "::1";
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

function takenProblem({ address: { address, port }, protocol, by }: TakenAddress): AddressProblem {
  const message = `${protocol} ${joinHostPort(address, port)} belongs to Service ${by} already. It is taken over when that Service gives it up.`;
  return { reason: "AddressTaken", severity: "warning", retry: false, protocol, address, port, message };
}
