/** Makes the kernel forget UDP flows that a change has made wrong; a TCP client notices by itself when its endpoint is gone. */
import { leftoverFlows, staleMatches, type FlowMatch, type ServicePlan } from "../decide/proxy/index.ts";
import type { Conntrack, Flow } from "../host/conntrack/conntrack.ts";

/** An idle UDP flow ends after two minutes at most (nf_conntrack_udp_timeout_stream): what was there at the start is over then. */
const leftoverMs = 120_000;

export class StaleFlows {
  readonly #conntrack: Conntrack;
  /** From before this process, read once; undefined: not yet, or they are over. */
  #leftover: readonly Flow[] | undefined;
  readonly #started: number;
  #matches: FlowMatch[] = [];
  #wrong: Flow[] = [];

  constructor(conntrack: Conntrack) {
    this.#conntrack = conntrack;
    this.#started = performance.now();
  }

  /** Notes what the change makes wrong; `flush` does it. */
  changed(old: ServicePlan | undefined, next: ServicePlan | undefined): void {
    this.#matches.push(...staleMatches("UDP", old, next));
    if (old !== undefined || next === undefined || performance.now() - this.#started > leftoverMs) return;
    const found = leftoverFlows("UDP", next, this.#leftoverFlows());
    this.#wrong.push(...found);
  }

  flush(): void {
    const [matches, wrong] = [this.#matches, this.#wrong];
    this.#matches = [];
    this.#wrong = [];
    if (matches.length + wrong.length === 0 || this.#conntrack.count() === 0) return;
    this.#conntrack.remove(wrong);
    if (matches.length > 0) this.#conntrack.removeMatching("udp", matches);
  }

  #leftoverFlows(): readonly Flow[] {
    this.#leftover ??= this.#conntrack.count() === 0 ? [] : this.#conntrack.list("udp");
    return this.#leftover;
  }
}
