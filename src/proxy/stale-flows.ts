/**
 * Makes the kernel forget flows that a change has made wrong: all of UDP. A TCP client notices by itself that its endpoint is gone,
 * unless it never had an answer (`unanswered-flows.ts`).
 */
import { leftoverFlows, staleMatches, type FlowMatch, type ServicePlan } from "../decide/proxy/index.ts";
import type { Conntrack, Flow } from "../host/conntrack/conntrack.ts";
import { UnansweredFlows, type UnansweredFlowsOptions } from "./unanswered-flows.ts";

/** An idle UDP flow ends after two minutes at most (nf_conntrack_udp_timeout_stream): what was there at the start is over then. */
const leftoverMs = 120_000;

export class StaleFlows {
  readonly #conntrack: Conntrack;
  /** From before this process, read once; undefined: not yet, or they are over. */
  #leftover: readonly Flow[] | undefined;
  readonly #started: number;
  readonly #unanswered: UnansweredFlows;
  #matches: FlowMatch[] = [];
  #left: FlowMatch[] = [];
  #wrong: Flow[] = [];

  /** `conntrack`: closed with this. */
  constructor(conntrack: Conntrack, options: UnansweredFlowsOptions = {}) {
    this.#conntrack = conntrack;
    this.#unanswered = new UnansweredFlows(conntrack, options);
    this.#started = performance.now();
  }

  /** Notes what the change makes wrong; `flush` does it. */
  changed(old: ServicePlan | undefined, next: ServicePlan | undefined): void {
    this.#matches.push(...staleMatches("UDP", old, next));
    // Of TCP only what an endpoint leaves behind: where nobody served, a connection was refused and there is no flow.
    if (old !== undefined) this.#left.push(...staleMatches("TCP", old, next).filter(({ source }) => source !== undefined));
    if (old !== undefined || next === undefined || performance.now() - this.#started > leftoverMs) return;
    const found = leftoverFlows("UDP", next, this.#leftoverFlows());
    this.#wrong.push(...found);
  }

  flush(): void {
    this.#unanswered.left(this.#left);
    this.#left = [];
    const [matches, wrong] = [this.#matches, this.#wrong];
    this.#matches = [];
    this.#wrong = [];
    if (matches.length + wrong.length === 0 || this.#conntrack.count() === 0) return;
    this.#conntrack.remove(wrong);
    if (matches.length > 0) this.#conntrack.removeMatching("udp", matches);
  }

  close(): void {
    this.#unanswered.stop();
    this.#conntrack.close();
  }

  #leftoverFlows(): readonly Flow[] {
    this.#leftover ??= this.#conntrack.count() === 0 ? [] : this.#conntrack.list("udp");
    return this.#leftover;
  }
}
