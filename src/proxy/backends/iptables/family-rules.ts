/**
 * The rules of one address family in the kernel. Holds in memory what was restored last, so that a sync sends the chains that have
 * changed, by one command, and lists nothing; what an earlier proxy has left is listed once.
 */
import type { PlanNode, ServicePlan } from "../../../decide/proxy/index.ts";
import { countRules, driftedChains, isSame, listedRules } from "../../../decide/proxy/render/iptables/drift.ts";
import { isFlushed, isOfListing, readListing, type Listing } from "../../../decide/proxy/render/iptables/listing.ts";
import { renderAhead, renderIptables, type IptablesCache, type IptablesOptions } from "../../../decide/proxy/render/iptables/render.ts";
import type { IptablesRules } from "../../../decide/proxy/render/iptables/rules.ts";
import { fullRestoreLines, jumpsQuestion, partialRestoreLines } from "../../../decide/proxy/render/iptables/text.ts";
import type { Iptables } from "../../../host/iptables/iptables.ts";
import type { IpFamily } from "../../../lib/ip.ts";
import type { Logger } from "../../../lib/log.ts";
import type { IptablesMetrics } from "../../mode-metrics.ts";
import { observeRestore } from "./observe.ts";

export interface FamilyRulesOptions {
  readonly iptables: Iptables;
  readonly rules?: Omit<IptablesOptions, "family" | "node"> | undefined;
  readonly metrics?: IptablesMetrics | undefined;
  readonly log?: Logger | undefined;
}

/** Listing takes time of iptables' own, more the more rules there are: so many are looked at by each look, on average. */
const rulesPerLook = 4000;

export class FamilyRules {
  readonly family: IpFamily;
  readonly #options: FamilyRulesOptions;
  #node: PlanNode;
  #cache: IptablesCache = new WeakMap();
  /** What the kernel holds; undefined: not known, a full sync is due. */
  #have: IptablesRules | undefined;
  /** How it was listed when it was looked at; a restore makes that unknown. */
  #listed: string | undefined;
  /** What a look has found, for the full sync that it leads to. */
  #listing: Listing | undefined;

  constructor(family: IpFamily, node: PlanNode, options: FamilyRulesOptions) {
    this.family = family;
    this.#node = node;
    this.#options = options;
  }

  setNode(node: PlanNode): void {
    this.#node = node;
    this.#cache = new WeakMap();
    this.forget();
  }

  /** The next sync writes everything. */
  forget(): void {
    this.#have = undefined;
    this.#listed = undefined;
  }

  /** In order of the Services' keys: of an address that two want the first has it. */
  async sync(services: readonly ServicePlan[]): Promise<void> {
    const have = this.#have;
    const options = { ...this.#options.rules, node: this.#node, family: this.family };
    await inSlices(renderAhead(services, options, this.#cache));
    const want = renderIptables(services, options, this.#cache);
    // Most changes are of one family.
    if (have !== undefined && isSame(have, want)) return;
    // Of two tables one may be taken and one refused: until it went well nothing is known.
    this.forget();
    await this.#restore(
      want,
      have,
      have === undefined ? fullRestoreLines(want, await this.#takeListing()) : partialRestoreLines(have, want),
    );
    this.#have = want;
  }

  async #restore(want: IptablesRules, have: IptablesRules | undefined, lines: Iterable<string>): Promise<void> {
    const { iptables, metrics } = this.#options;
    const written = await inSlices(lines);
    // What has changed is of the other family.
    if (written.length === 0) return;
    const started = performance.now();
    try {
      await iptables.restore(this.family, `${written.join("\n")}\n`);
    } catch (error) {
      (have === undefined ? metrics?.restoreFailures : metrics?.partialRestoreFailures)?.labels(`IPv${this.family}`).inc();
      throw error;
    }
    if (metrics !== undefined) observeRestore(metrics, { want, written, partial: have !== undefined, ms: performance.now() - started });
  }

  async #takeListing(): Promise<Listing> {
    const listing = this.#listing;
    this.#listing = undefined;
    return listing ?? readListing(await this.#options.iptables.save(this.family, isOfListing));
  }

  /**
   * Whether the kernel still holds what was written, by one command: a listing each `1 / share` looks, where there is too much to list
   * each time, else a question for the rules that lead to our chains. Where not, the next sync writes everything.
   */
  async stands(look: number): Promise<boolean> {
    const have = this.#have;
    if (have === undefined) return false;
    const { iptables, log } = this.#options;
    const rules = countRules(have, "filter") + countRules(have, "nat");
    if (look % Math.ceil(rules / rulesPerLook) !== 0) {
      const leads = await iptables.holds(this.family, jumpsQuestion(have));
      if (!leads) this.forget();
      return leads;
    }
    const lines = await iptables.save(this.family);
    const listed = listedRules(have, lines);
    const listing = readListing(lines);
    const chains = driftedChains(have, listed);
    const changed = isFlushed(have, listing) || chains.length > 0 || (this.#listed !== undefined && this.#listed !== listed.text);
    this.#listed = listed.text;
    if (!changed) return true;
    log?.warn("somebody has changed the proxy's rules", { family: this.family, chains: chains.slice(0, 5) });
    this.forget();
    this.#listing = listing;
    return false;
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
