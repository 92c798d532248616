/**
 * Makes the kernel forget TCP connection attempts to an endpoint that has left and does not answer any more: its node has lost its
 * power. conntrack leads every SYN of that client port to the dead endpoint for two minutes (nf_conntrack_tcp_timeout_syn_sent), those
 * of a later connection from the same port too. kube-proxy leaves them (pkg/proxy/conntrack/cleanup.go is about UDP and SCTP).
 * Connections that were answered stay: an endpoint that leaves in good order finishes what it has begun.
 */
import type { FlowMatch } from "../decide/proxy/index.ts";
import type { Conntrack } from "../host/conntrack/conntrack.ts";
import { realClock, type Clock, type Timer } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";

/** Whoever lives answers within it. An attempt that is forgotten on its way costs its client a second, until it sends its SYN again. */
const answerMs = 100;
/** A pass may cost a walk of the kernel's whole table: at most one part in so many of the thread's time. */
const parts = 20;

export interface UnansweredFlowsOptions {
  readonly clock?: Clock;
  readonly log?: Logger;
}

export class UnansweredFlows {
  readonly #conntrack: Conntrack;
  readonly #clock: Clock;
  readonly #log: Logger | undefined;
  readonly #matches = new Map<string, FlowMatch>();
  #timer: Timer | undefined;
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(conntrack: Conntrack, { clock = realClock, log }: UnansweredFlowsOptions = {}) {
    this.#conntrack = conntrack;
    this.#clock = clock;
    this.#log = log;
  }

  /** The rules lead elsewhere already: what is unanswered after `answerMs` is from before. */
  left(matches: readonly FlowMatch[]): void {
    for (const match of matches) this.#matches.set(JSON.stringify(match), match);
    if (matches.length === 0 || this.#timer !== undefined) return;
    const now = this.#clock.monotonic();
    this.#timer = this.#clock.after(Math.max(answerMs, this.#notBefore - now), () => this.#forget());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #forget(): void {
    this.#timer = undefined;
    const began = this.#clock.monotonic();
    const matches = [...this.#matches.values()];
    this.#matches.clear();
    try {
      if (this.#conntrack.count() === 0) return;
      const unanswered = matches.map((match) => ({ ...match, unanswered: true }));
      this.#conntrack.removeMatching("tcp", unanswered);
    } catch (error) {
      this.#log?.warn("connection attempts to endpoints that have left could not be removed", { error: errorMessage(error) });
    } finally {
      const now = this.#clock.monotonic();
      this.#notBefore = now + (now - began) * (parts - 1);
    }
  }
}
