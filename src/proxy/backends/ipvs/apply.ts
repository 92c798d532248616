/**
 * The ipvs backend: what the model says of a change, given to the kernel by netlink. See README.md beside this file. Lists nothing
 * on the way; what an earlier proxy has left is looked at where a Service comes to it, and once when all are there.
 */
import { release } from "node:os";
import type { PlanNode, ServicePlan } from "../../../decide/proxy/index.ts";
import { IpvsModel } from "../../../decide/proxy/render/ipvs/model.ts";
import { inOrder, serverOperations, type IpvsOperation } from "../../../decide/proxy/render/ipvs/operations.ts";
import { contributionOptions, rulesOf, type IpvsOptions } from "../../../decide/proxy/render/ipvs/render.ts";
import { serverKey, type VirtualServer } from "../../../decide/proxy/render/ipvs/state.ts";
import type { IpvsTimeouts } from "../../../host/ipvs/ipvs.ts";
import { realClock, type Clock } from "../../../lib/clock.ts";
import { errorMessage } from "../../../lib/errors.ts";
import type { IpFamily } from "../../../lib/ip.ts";
import type { Logger } from "../../../lib/log.ts";
import type { Counter, Family } from "../../../lib/metrics.ts";
import { StaleFlows } from "../../stale-flows.ts";
import type { AddressProblem, Applied, Backend, DialResult, DialTarget, ServiceChange } from "../backend.ts";
import { countAddresses, dialThroughKernel, servicePortAt, type KernelConnect } from "../kernel-dial.ts";
import { Drains } from "./drains.ts";
import { prepareKernel, type IpvsKernel } from "./kernel.ts";
import { KernelReader } from "./reader.ts";
import { IpvsRuleWriter } from "./rules.ts";
import { runOperations, type OwnedOperation } from "./run.ts";

/** One network namespace. */
export interface IpvsBackendKernelOptions {
  readonly kernel: IpvsKernel;
  /** Those that the kernel has. Default: both. */
  readonly families?: readonly IpFamily[];
  readonly rules?: Pick<IpvsOptions, "scheduler" | "masqueradeAll" | "masqueradeBit" | "randomFully">;
  /** `--ipvs-exclude-cidrs`: virtual servers there are somebody else's, and stay. */
  readonly excludeCIDRs?: readonly string[];
  readonly strictARP?: boolean;
  readonly timeouts?: IpvsTimeouts;
  /** Absent: `dial` is refused. */
  readonly connect?: KernelConnect;
  /** Restores of the rules that iptables refused, by family. */
  readonly restoreFailures?: Family<Counter>;
  readonly log?: Logger;
  readonly clock?: Clock;
  /** How often it is looked whether a draining real server is idle. Default 10 s. */
  readonly drainIntervalMs?: number;
}

export interface IpvsBackendOptions extends IpvsBackendKernelOptions {
  readonly node: PlanNode;
}

interface FamilyState {
  readonly family: IpFamily;
  options: IpvsOptions;
  readonly model: IpvsModel;
  readonly rules: IpvsRuleWriter;
}

/** The proxy looks every 10 s: everything is compared each ten minutes. */
export const healsPerComparison = 60;

export class IpvsBackend implements Backend {
  readonly mode = "ipvs";
  readonly #options: IpvsBackendOptions;
  readonly #families: readonly FamilyState[];
  readonly #plans = new Map<string, ServicePlan>();
  readonly #drains: Drains;
  readonly #reader: KernelReader;
  readonly #stale: StaleFlows | undefined;
  /** Virtual servers of an earlier proxy that no Service has come to yet; undefined: the kernel has not been looked at. */
  #earlier: Map<string, VirtualServer> | undefined;
  /** Something was refused, or it is not known what an earlier proxy has left: everything must be compared. */
  #uncertain = true;
  /** Every Service has been applied once: what nobody wants is somebody's leftover. */
  #complete = false;
  #heals = 0;

  constructor(options: IpvsBackendOptions) {
    this.#options = options;
    const {
      kernel,
      node,
      rules,
      restoreFailures,
      families = [4, 6],
      excludeCIDRs = [],
      clock = realClock,
      drainIntervalMs = 10_000,
    } = options;
    this.#families = families.map((family) => {
      const rendered: IpvsOptions = { ...rules, node, family };
      return {
        family,
        options: rendered,
        model: new IpvsModel(contributionOptions(rendered)),
        rules: new IpvsRuleWriter(kernel.iptables, restoreFailures),
      };
    });
    this.#drains = new Drains({ ipvs: kernel.ipvs, clock, intervalMs: drainIntervalMs });
    this.#reader = new KernelReader(kernel, excludeCIDRs);
    this.#stale = kernel.conntrack === undefined ? undefined : new StaleFlows(kernel.conntrack, options);
  }

  get served(): number {
    return countAddresses(this.#plans.values());
  }

  /** Real servers that take no new connections and still have some. */
  get draining(): number {
    return this.#drains.size;
  }

  async apply(key: string, plan: ServicePlan | undefined): Promise<readonly AddressProblem[]> {
    const [result] = await this.applyAll([{ key, plan }]);
    if (result?.kind === "failed") throw result.error;
    return result?.problems ?? [];
  }

  /** What is refused is of its Service alone. */
  async applyAll(changes: readonly ServiceChange[]): Promise<readonly Applied[]> {
    const before = changes.map(({ key }) => this.#plans.get(key));
    for (const { key, plan } of changes) {
      if (plan === undefined) this.#plans.delete(key);
      else this.#plans.set(key, plan);
    }
    try {
      const failed = await this.#sync(changes);
      this.#forgetStale(changes, before);
      return changes.map(({ key }): Applied =>
        failed.has(key) ? { key, kind: "failed", error: failed.get(key) } : { key, kind: "applied", problems: [] },
      );
    } catch (error) {
      this.#uncertain = true;
      return changes.map(({ key }): Applied => ({ key, kind: "failed", error }));
    }
  }

  async #sync(changes: readonly ServiceChange[]): Promise<ReadonlyMap<string, unknown>> {
    if (this.#earlier === undefined) await this.#begin();
    const failed = new Map<string, unknown>();
    for (const state of this.#families) {
      // After a refusal the model is ahead of the kernel: what is missing is found by comparing, and belongs to nobody of these.
      const owned = changes.flatMap(({ key, plan }) =>
        this.#meetingEarlier(state.model.change(key, plan), state.model).map((operation): OwnedOperation => ({ key, operation })),
      );
      for (const [key, error] of await this.#run(state, owned)) failed.set(key, error);
    }
    if (failed.size > 0) this.#uncertain = true;
    else if (this.#uncertain && this.#complete) await this.#compare();
    return failed;
  }

  async #begin(): Promise<void> {
    const { kernel, strictARP = false, timeouts = { tcp: 0, tcpFin: 0, udp: 0 } } = this.#options;
    await prepareKernel(
      kernel,
      this.#families.map(({ family }) => family),
      { strictARP, timeouts, kernelRelease: release() },
    );
    this.#earlier = new Map(this.#reader.servers().map((server) => [serverKey(server), server]));
  }

  /** A virtual server that is there already is led to what it is to be, so that its connections stay. */
  #meetingEarlier(operations: readonly IpvsOperation[], model: IpvsModel): readonly IpvsOperation[] {
    const earlier = this.#earlier;
    if (earlier === undefined || earlier.size === 0) return operations;
    const met = new Map<string, readonly IpvsOperation[]>();
    for (const operation of operations) {
      if (operation.kind !== "addServer") continue;
      const key = serverKey(operation.server);
      const server = earlier.get(key);
      if (server === undefined) continue;
      earlier.delete(key);
      const have = { ...server, realServers: this.#reader.realServers(server) };
      this.#keepDraining(have, model.server(key));
      met.set(key, serverOperations(have, model.server(key)));
    }
    if (met.size === 0) return operations;
    const rest = operations.filter((operation) => !("server" in operation) || !met.has(serverKey(operation.server)));
    return inOrder([...rest, ...[...met.values()].flat()]);
  }

  #keepDraining(have: VirtualServer, want: VirtualServer | undefined): void {
    const wanted = new Set((want?.realServers ?? []).map(({ ip, port }) => `${ip} ${port}`));
    for (const real of have.realServers) if (real.weight === 0 && !wanted.has(`${real.ip} ${real.port}`)) this.#drains.add(have, real);
  }

  async #run(state: FamilyState, owned: readonly OwnedOperation[]): Promise<ReadonlyMap<string, unknown>> {
    return await runOperations(owned, {
      kernel: this.#options.kernel,
      family: state.family,
      drains: this.#drains,
      writeRules: () => state.rules.write(rulesOf(state.model, state.options)),
    });
  }

  /** What an earlier proxy has left and nobody wants goes. */
  async completed(): Promise<void> {
    this.#complete = true;
    if (this.#earlier !== undefined) await this.#compare();
  }

  /** Addresses of the node decide what is bound, and its ranges of pods who is masqueraded. */
  setNode(node: PlanNode): void {
    for (const state of this.#families) {
      state.options = { ...state.options, node };
      state.model.setOptions(contributionOptions(state.options));
    }
  }

  /** Mends what others have changed. */
  async heal(): Promise<boolean> {
    if (!this.#complete || this.#earlier === undefined) return false;
    this.#heals += 1;
    const gone = await this.#flushed();
    if (!gone && !this.#uncertain && this.#heals % healsPerComparison !== 0) return false;
    return (await this.#compare()) || gone;
  }

  /** Looks at what disappears when somebody clears the tables: the canary, what leads to our chains, the link, a set. */
  async #flushed(): Promise<boolean> {
    const { link, ipset } = this.#options.kernel;
    let gone = link.addresses() === undefined;
    for (const { family, model, options, rules } of this.#families) {
      gone ||= ipset.list(this.#reader.canary(family)) === undefined;
      if (!(await rules.stands(rulesOf(model, options)))) gone = true;
    }
    return gone;
  }

  /** Whether anything was otherwise than wanted. */
  async #compare(): Promise<boolean> {
    const { kernel } = this.#options;
    kernel.link.ensure();
    let changed = false;
    for (const state of this.#families) {
      this.#reader.createSets(state.family);
      const have = await this.#reader.state(state.family);
      for (const server of have.virtualServers) this.#keepDraining(server, state.model.server(serverKey(server)));
      const operations = state.model.adopt(have);
      changed ||= operations.length > 0;
      const failed = await this.#run(
        state,
        operations.map((operation) => ({ key: "", operation })),
      );
      for (const error of failed.values()) throw error;
    }
    this.#uncertain = false;
    this.#earlier?.clear();
    return changed;
  }

  #forgetStale(changes: readonly ServiceChange[], before: readonly (ServicePlan | undefined)[]): void {
    try {
      for (const [i, { plan }] of changes.entries()) this.#stale?.changed(before[i], plan);
      this.#stale?.flush();
    } catch (error) {
      // The table stands; the clients concerned come to it when they pause.
      this.#options.log?.warn("flows to endpoints that have left could not be removed", { error: errorMessage(error) });
    }
  }

  dial(target: DialTarget): Promise<DialResult> {
    return dialThroughKernel(servicePortAt(this.#plans.values(), target), target, this.#options.connect);
  }

  /** The model itself knows who is next for an address. */
  takeReleased(): readonly string[] {
    return [];
  }

  /** The table stays: connections go on, and the next start takes over. `cleanup` removes it. */
  async stop(): Promise<void> {
    this.#drains.stop();
    const { ipvs, ipset, link } = this.#options.kernel;
    for (const part of [ipvs, ipset, link, this.#stale]) part?.close();
  }
}
