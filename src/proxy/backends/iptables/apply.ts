/**
 * The iptables backend: what the renderer says, given to `iptables-restore`. See README.md beside this file. Holds in memory what
 * was restored last, so that a change sends the chains of its Services and the shared ones, and lists nothing.
 */
import type { PlanNode, ServicePlan } from "../../../decide/proxy/index.ts";
import { renderAhead, renderIptables, type IptablesCache, type IptablesOptions } from "../../../decide/proxy/render/iptables/render.ts";
import type { IptablesRules } from "../../../decide/proxy/render/iptables/rules.ts";
import { countRules, driftedChains, isSame, listedRules, missingJumps } from "../../../decide/proxy/render/iptables/drift.ts";
import { fullRestoreLines, jumpWords, partialRestoreLines } from "../../../decide/proxy/render/iptables/text.ts";
import { kube } from "../../../decide/proxy/render/iptables/layout.ts";
import type { Conntrack } from "../../../host/conntrack/conntrack.ts";
import type { Iptables } from "../../../host/iptables/iptables.ts";
import { errorMessage } from "../../../lib/errors.ts";
import type { IpFamily } from "../../../lib/ip.ts";
import type { Logger } from "../../../lib/log.ts";
import type { IptablesMetrics } from "../../metrics.ts";
import { countAddresses, dialThroughKernel, servicePortAt, type KernelConnect } from "../kernel-dial.ts";
import { StaleFlows } from "../../stale-flows.ts";
import type { AddressProblem, Applied, Backend, DialResult, DialTarget, ServiceChange } from "../backend.ts";

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

interface FamilyState {
  readonly family: IpFamily;
  readonly cache: IptablesCache;
  /** What the kernel holds; undefined: not known, a full sync is due. */
  have: IptablesRules | undefined;
  /** How `have` was listed when it was looked at; a restore makes it unknown. */
  listed: string | undefined;
}

/** Listing takes time of iptables' own, more the more rules there are: so many are looked at by each look, on average. */
const rulesPerLook = 4000;

/** Where the proxy looks every 10 s this is an hour. */
export const healsPerFullSync = 360;

export class IptablesBackend implements Backend {
  readonly mode = "iptables";
  readonly wholesale = true;
  #options: IptablesBackendOptions;
  readonly #families: readonly FamilyState[];
  readonly #plans = new Map<string, ServicePlan>();
  readonly #stale: StaleFlows | undefined;
  #heals = 0;

  constructor(options: IptablesBackendOptions) {
    this.#options = options;
    this.#families = (options.families ?? ([4, 6] as const)).map((family) => ({
      family,
      cache: new WeakMap(),
      have: undefined,
      listed: undefined,
    }));
    this.#stale = options.conntrack === undefined ? undefined : new StaleFlows(options.conntrack, options);
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
      for (const state of this.#families) state.have = undefined;
      await this.#sync();
      return false;
    }
    const gone: FamilyState[] = [];
    for (const state of this.#families) if (!(await this.#stands(state))) gone.push(state);
    for (const state of gone) state.have = undefined;
    if (gone.length > 0) await this.#sync();
    return gone.length > 0;
  }

  setNode(node: PlanNode): void {
    this.#options = { ...this.#options, node };
    for (const state of this.#families) Object.assign(state, { cache: new WeakMap(), have: undefined });
  }

  /** By one listing; where there is too much to list each time, at other times by a question for each rule that leads to our chains. */
  async #stands(state: FamilyState): Promise<boolean> {
    const { family, have } = state;
    if (have === undefined) return false;
    const rules = countRules(have, "filter") + countRules(have, "nat");
    if (this.#heals % Math.ceil(rules / rulesPerLook) !== 0) return this.#leadsToOurs(family, have);
    const lines = await this.#options.iptables.save(family);
    const listed = listedRules(have, lines);
    const chains = driftedChains(have, listed);
    const changed = missingJumps(have, lines) || chains.length > 0 || (state.listed !== undefined && state.listed !== listed.text);
    if (changed) this.#options.log?.warn("somebody has changed the proxy's rules", { family, chains: chains.slice(0, 5) });
    state.listed = listed.text;
    return !changed;
  }

  async #leadsToOurs(family: IpFamily, { jumps }: IptablesRules): Promise<boolean> {
    const { iptables } = this.#options;
    for (const table of ["filter", "nat"]) if (!(await iptables.rule(family, ["-t", table, "-S", kube.canary]))) return false;
    for (const jump of jumps) if (!(await iptables.rule(family, jumpWords(jump, "-C")))) return false;
    return true;
  }

  #remember(changes: readonly ServiceChange[]): void {
    for (const { key, plan } of changes) {
      if (plan === undefined) this.#plans.delete(key);
      else this.#plans.set(key, plan);
    }
  }

  async #sync(): Promise<void> {
    // The order of an address that two Services want: the first by name has it.
    const services = [...this.#plans].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, plan]) => plan);
    for (const state of this.#families) await this.#syncFamily(state, services);
  }

  async #syncFamily(state: FamilyState, services: readonly ServicePlan[]): Promise<void> {
    const { iptables, node, rules, metrics } = this.#options;
    const { family, cache, have } = state;
    const options = { ...rules, node, family };
    await inSlices(renderAhead(services, options, cache));
    const want = renderIptables(services, options, cache);
    // Most changes are of one family.
    if (have !== undefined && isSame(have, want)) return;
    // Of two tables one may have been taken and one refused: until it went well nothing is known.
    state.have = undefined;
    state.listed = undefined;
    const lines = have === undefined ? fullRestoreLines(want, await iptables.chains(family, "nat")) : partialRestoreLines(have, want);
    const written = await inSlices(lines);
    const started = performance.now();
    try {
      await iptables.restore(family, `${written.join("\n")}\n`);
    } catch (error) {
      (have === undefined ? metrics?.restoreFailures : metrics?.partialRestoreFailures)?.labels(`IPv${family}`).inc();
      throw error;
    }
    if (metrics !== undefined) observe(metrics, { family, want, written, partial: have !== undefined, ms: performance.now() - started });
    if (have === undefined) await this.#ensureJumps(want);
    state.have = want;
  }

  /** At the top of the kernel's chains, in order; after the chains that they lead to. Rules of others stay where they are. */
  async #ensureJumps({ family, jumps }: IptablesRules): Promise<void> {
    const { iptables } = this.#options;
    for (const jump of jumps.toReversed()) {
      if (await iptables.rule(family, jumpWords(jump, "-C"))) continue;
      if (!(await iptables.rule(family, jumpWords(jump, "-I")))) throw new Error(`iptables: no rule could be put into ${jump.from}`);
    }
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

interface Restored {
  readonly family: IpFamily;
  readonly want: IptablesRules;
  readonly written: readonly string[];
  readonly partial: boolean;
  readonly ms: number;
}

function observe(metrics: IptablesMetrics, { family, want, written, partial, ms }: Restored): void {
  const name = `IPv${family}`;
  (partial ? metrics.partialSync : metrics.fullSync).labels(name).observe(ms / 1000);
  let table = "";
  const counts = new Map<string, number>();
  for (const line of written) {
    if (line.startsWith("*")) table = line.slice(1);
    else if (line.startsWith("-A ")) counts.set(table, (counts.get(table) ?? 0) + 1);
  }
  for (const each of ["filter", "nat"] as const) {
    metrics.rules.labels(each, name).set(countRules(want, each));
    metrics.written.labels(each, name).set(counts.get(each) ?? 0);
  }
}

/** This thread serves others too: it works no longer than this at a stretch. */
const sliceMs = 4;

async function inSlices<T>(work: Iterable<T>): Promise<readonly T[]> {
  const done: T[] = [];
  let since = performance.now();
  for (const one of work) {
    done.push(one);
    if (performance.now() - since < sliceMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    since = performance.now();
  }
  return done;
}
