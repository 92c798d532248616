/** Asks other servers, by a policy; one that fails is passed over until it answers again. */
import { isWithin } from "../../../decide/dns/name.ts";
import { rcodeName, rcodes } from "../../../decide/dns/records.ts";
import { errorMessage } from "../../../lib/errors.ts";
import type { Counter, Family, Histogram } from "../../../lib/metrics.ts";
import {
  failure,
  reply,
  type Awaitable,
  type DnsRequest,
  type Handler,
  type Next,
  type Outcome,
  type PluginEnvironment,
} from "../../plugin.ts";
import type { Upstream } from "./upstream.ts";

export interface ForwardSettings {
  readonly zones: readonly string[];
  readonly except: readonly string[];
  /** Failures in a row until a server counts as down; 0: never. */
  readonly maxFails: number;
  /** Questions under way at once; more are refused. 0: no limit. */
  readonly maxConcurrent: number;
  readonly healthCheckMs: number;
  /** What a probe asks the name servers of, and whether it desires recursion. */
  readonly healthCheckDomain: string;
  readonly healthCheckRecursion: boolean;
  /** For one try, in ms. */
  readonly readTimeoutMs: number;
  /** When all are down: fail at once instead of trying one all the same. */
  readonly failfast: boolean;
  /** Codes for which another server is asked. */
  readonly failover: readonly number[];
  /** `same`: as the client asked. */
  readonly transport: "same" | "udp" | "tcp";
  readonly policy: "random" | "round_robin" | "sequential";
}

/** For one question, all tries together, in ms. */
const patienceMs = 5000;

export class ForwardHandler implements Handler {
  readonly name = "forward";
  readonly #settings: ForwardSettings;
  readonly #upstreams: readonly Upstream[];
  readonly #environment: Pick<PluginEnvironment, "clock" | "random">;
  readonly #duration: Family<Histogram>;
  readonly #rejects: Counter;
  readonly #broken: Counter;
  #turn = 0;
  #underWay = 0;

  constructor(
    settings: ForwardSettings,
    upstreams: readonly Upstream[],
    environment: Pick<PluginEnvironment, "clock" | "random" | "metrics">,
  ) {
    this.#settings = settings;
    this.#upstreams = upstreams;
    this.#environment = environment;
    const { metrics } = environment;
    this.#duration = metrics.histogram("coredns_proxy_request_duration_seconds", "Histogram of the time each request took.", [
      "proxy_name",
      "to",
      "rcode",
    ]);
    this.#broken = metrics
      .counter("coredns_forward_healthcheck_broken_total", "Counter of the number of complete failures of the healthchecks.")
      .labels();
    this.#rejects = metrics
      .counter(
        "coredns_forward_max_concurrent_rejects_total",
        "Counter of the number of queries rejected because the concurrent queries were at maximum.",
      )
      .labels();
  }

  serveDNS(request: DnsRequest, next: Next): Awaitable<Outcome> {
    const { zones, except, maxConcurrent } = this.#settings;
    if (!zones.some((zone) => isWithin(zone, request.name)) || except.some((zone) => isWithin(zone, request.name))) return next(request);
    if (maxConcurrent > 0 && this.#underWay >= maxConcurrent) {
      this.#rejects.inc();
      return failure(rcodes.REFUSED, new Error(`concurrent queries exceeded maximum ${maxConcurrent}`));
    }
    return this.#ask(request);
  }

  async #ask(request: DnsRequest): Promise<Outcome> {
    this.#underWay++;
    try {
      return await this.#askInOrder(request);
    } finally {
      this.#underWay--;
    }
  }

  /** The first answer that is no reason to go on; if all are, the last one. */
  async #askInOrder(request: DnsRequest): Promise<Outcome> {
    const { clock } = this.#environment;
    const { transport, readTimeoutMs, failover } = this.#settings;
    const tcp = transport === "tcp" || (transport === "same" && request.client.protocol === "tcp");
    const end = clock.monotonic() + patienceMs;
    let outcome: Outcome = failure(rcodes.SERVFAIL, new Error("no healthy proxies"));
    for (const upstream of this.#inOrder()) {
      const began = clock.monotonic();
      if (began >= end) break;
      try {
        const message = await upstream.exchange(request, { tcp, timeoutMs: Math.min(readTimeoutMs, end - began) });
        this.#duration.labels("forward", upstream.address, rcodeName(message.rcode)).observe((clock.monotonic() - began) / 1000);
        outcome = reply("forward", message);
        if (!failover.includes(message.rcode)) return outcome;
      } catch (error) {
        if (outcome.kind !== "reply") outcome = failure(rcodes.SERVFAIL, new Error(errorMessage(error)));
      }
    }
    return outcome;
  }

  /** Those that are up first; if none is, all: an answer is still possible. */
  #inOrder(): readonly Upstream[] {
    const up = this.#upstreams.filter((upstream) => !upstream.down);
    if (up.length === 0 && this.#upstreams.length > 0) this.#broken.inc();
    const candidates = up.length > 0 || this.#settings.failfast ? up : this.#upstreams;
    if (this.#settings.policy === "sequential" || candidates.length < 2) return candidates;
    const start = this.#settings.policy === "round_robin" ? this.#turn++ : Math.floor(this.#environment.random() * candidates.length);
    return candidates.map((_, i) => candidates[(start + i) % candidates.length] as Upstream);
  }

  stop(): void {
    for (const upstream of this.#upstreams) upstream.stop();
  }
}
