/** The iptables backend: what the renderer says, given to `iptables-restore`. See README.md beside this file. */
import type { PlanNode, ServicePlan } from "../../../decide/proxy/index.ts";
import type { IptablesOptions } from "../../../decide/proxy/render/iptables/render.ts";
import type { Conntrack } from "../../../host/conntrack/conntrack.ts";
import type { Iptables } from "../../../host/iptables/iptables.ts";
import { errorMessage } from "../../../lib/errors.ts";
import type { IpFamily } from "../../../lib/ip.ts";
import type { Logger } from "../../../lib/log.ts";
import type { IptablesMetrics } from "../../mode-metrics.ts";
import { StaleFlows } from "../../stale-flows.ts";
import type { AddressProblem, Applied, Backend, DialResult, DialTarget, ServiceChange } from "../backend.ts";
import { countAddresses, dialThroughKernel, servicePortAt, type KernelConnect } from "../kernel-dial.ts";
import { FamilyRules } from "./family-rules.ts";

/** One network namespace. */
export interface IptablesKernelOptions {
  readonly iptables: Iptables;
  /** Absent: UDP clients of an endpoint that has left stay with it until they pause, and ports of clients of a dead one lead there. */
  readonly conntrack?: Conntrack;
  /** Those that the kernel has. Default: both. */
  readonly families?: readonly IpFamily[];
  readonly rules?: Pick<
    IptablesOptions,
    "nodePortsEverywhere" | "localhostNodePorts" | "masqueradeBit" | "randomFully" | "conntrackTcpLiberal"
  >;
  /** Connects from inside the namespace, where the rules are. Absent: `dial` is refused. */
  readonly connect?: KernelConnect;
  /** Everything is written anew after so many looks. Default: `healsPerFullSync`. */
  readonly looksPerFullSync?: number;
  readonly metrics?: IptablesMetrics;
  readonly log?: Logger;
}

export interface IptablesBackendOptions extends IptablesKernelOptions {
  readonly node: PlanNode;
}

/** Where the proxy looks every 10 s this is an hour. */
export const healsPerFullSync = 360;

export class IptablesBackend implements Backend {
  readonly mode = "iptables";
  readonly wholesale = true;
  readonly #options: IptablesBackendOptions;
  readonly #families: readonly FamilyRules[];
  readonly #plans = new Map<string, ServicePlan>();
  /** In order; undefined: a Service has come or gone. */
  #keys: readonly string[] | undefined;
  readonly #stale: StaleFlows | undefined;
  #heals = 0;

  constructor(options: IptablesBackendOptions) {
    this.#options = options;
    const { families = [4, 6], node, conntrack } = options;
    this.#families = families.map((family) => new FamilyRules(family, node, options));
    this.#stale = conntrack === undefined ? undefined : new StaleFlows(conntrack, options);
  }

  get served(): number {
    return countAddresses(this.#plans.values());
  }

  async apply(key: string, plan: ServicePlan | undefined): Promise<readonly AddressProblem[]> {
    const [result] = await this.applyAll([{ key, plan }]);
    if (result?.kind === "failed") throw result.error;
    return result?.problems ?? [];
  }

  /** One restore for all; where it is refused, halves are tried, so that one bad Service holds up none but itself. */
  async applyAll(changes: readonly ServiceChange[]): Promise<readonly Applied[]> {
    const before = changes.map(({ key }) => ({ key, plan: this.#plans.get(key) }));
    this.#remember(changes);
    try {
      await this.#sync();
    } catch (error) {
      this.#remember(before.toReversed());
      return this.#refused(changes, error);
    }
    this.#forgetStale(changes, before);
    return changes.map(({ key }) => ({ key, kind: "applied", problems: [] }));
  }

  async #refused(changes: readonly ServiceChange[], error: unknown): Promise<readonly Applied[]> {
    const all = (why: unknown) => changes.map(({ key }): Applied => ({ key, kind: "failed", error: why }));
    if (changes.length === 1) return all(error);
    try {
      // As it was before. Where even that is refused no Service is to blame.
      await this.#sync();
    } catch (again) {
      return all(again);
    }
    const half = Math.ceil(changes.length / 2);
    return [...(await this.applyAll(changes.slice(0, half))), ...(await this.applyAll(changes.slice(half)))];
  }

  /**
   * Finds flushed tables by the canary (upstream pkg/util/iptables `Monitor`), jumps that somebody took away, and by listing them chains
   * that are not as they were written. Everything is written anew once in a while, without a look (upstream `FullSyncPeriod`, an hour).
   */
  async heal(): Promise<boolean> {
    if (this.#plans.size === 0) return false;
    this.#heals += 1;
    if (this.#heals % (this.#options.looksPerFullSync ?? healsPerFullSync) === 0) {
      for (const rules of this.#families) rules.forget();
      await this.#sync();
      return false;
    }
    const stand = await Promise.all(this.#families.map((rules) => rules.stands(this.#heals)));
    if (stand.every(Boolean)) return false;
    await this.#sync();
    return true;
  }

  setNode(node: PlanNode): void {
    for (const rules of this.#families) rules.setNode(node);
  }

  #remember(changes: readonly ServiceChange[]): void {
    for (const { key, plan } of changes) {
      if ((plan === undefined) === this.#plans.has(key)) this.#keys = undefined;
      if (plan === undefined) this.#plans.delete(key);
      else this.#plans.set(key, plan);
    }
  }

  /** Both families at once, as kube-proxy's two proxiers. */
  async #sync(): Promise<void> {
    this.#keys ??= [...this.#plans.keys()].sort();
    const services = this.#keys.map((key) => this.#plans.get(key) as ServicePlan);
    const done = await Promise.allSettled(this.#families.map((rules) => rules.sync(services)));
    for (const one of done) if (one.status === "rejected") throw one.reason;
  }

  /** After the rules are in force, so that the next packet of such a flow meets the new ones. */
  #forgetStale(changes: readonly ServiceChange[], before: readonly ServiceChange[]): void {
    try {
      for (const [i, { plan }] of changes.entries()) this.#stale?.changed(before[i]?.plan, plan);
      this.#stale?.flush();
    } catch (error) {
      // The rules stand; the clients concerned come to them when they pause.
      this.#options.log?.warn("flows to endpoints that have left could not be removed", { error: errorMessage(error) });
    }
  }

  dial(target: DialTarget): Promise<DialResult> {
    return dialThroughKernel(servicePortAt(this.#plans.values(), target), target, this.#options.connect);
  }

  /** Every sync asks anew whose an address is. */
  takeReleased(): readonly string[] {
    return [];
  }

  /** The rules stay: connections go on, and the next start takes over. `cleanup` removes them. */
  async stop(): Promise<void> {
    this.#stale?.close();
  }
}
