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
import { extendedErrors } from "../../wire/extended-error.ts";
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
  /** Codes for which the next plugin is asked instead. */
  readonly next: readonly number[];
  /** The same for an answer without records. */
  readonly nextOnNoData: boolean;
  /** Tries for one question, all servers together; undefined: two for each server; 0: no limit. */
  readonly maxAttempts: number | undefined;
  /** Of connections, see `Streams`. */
  readonly expireMs: number;
  readonly maxAgeMs: number;
  readonly maxIdle: number;
  readonly sourceAddress: string | undefined;
  readonly dohMethod: "GET" | "POST";
}

const unreachable = { code: extendedErrors.NO_REACHABLE_AUTHORITY } as const;

/** For one question, all tries together, in ms. */
const patienceMs = 5000;

export class ForwardHandler implements Handler {
  readonly name = "forward";
  readonly #settings: ForwardSettings;
  #upstreams: readonly Upstream[];
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
    return this.#ask(request, next);
  }

  /** Servers that became known later: those that are named by a host's name. */
  add(upstreams: readonly Upstream[]): void {
    this.#upstreams = [...this.#upstreams, ...upstreams];
  }

  get upstreams(): readonly Upstream[] {
    return this.#upstreams;
  }

  async #ask(request: DnsRequest, next: Next): Promise<Outcome> {
    this.#underWay++;
    try {
      const outcome = await this.#askInOrder(request);
      return this.#goesOn(outcome) ? await next(request) : outcome;
    } finally {
      this.#underWay--;
    }
  }

  #goesOn(outcome: Outcome): boolean {
    if (outcome.kind !== "reply") return false;
    const { rcode, answers } = outcome.message;
    const { next, nextOnNoData } = this.#settings;
    return next.includes(rcode) || (nextOnNoData && rcode === rcodes.NOERROR && answers.length === 0);
  }

  /** The first answer that is no reason to go on; if all are, the last one. */
  async #askInOrder(request: DnsRequest): Promise<Outcome> {
    const { clock } = this.#environment;
    const { transport, readTimeoutMs, failover } = this.#settings;
    const tcp = transport === "tcp" || (transport === "same" && request.client.protocol === "tcp");
    const end = clock.monotonic() + patienceMs;
    const order = this.#inOrder();
    let outcome: Outcome = this.#nobody();
    for (const upstream of this.#attempts(order)) {
      const began = clock.monotonic();
      if (began >= end) break;
      try {
        const message = await upstream.exchange(request, { tcp, timeoutMs: Math.min(readTimeoutMs, end - began) });
        this.#duration.labels("forward", upstream.address, rcodeName(message.rcode)).observe((clock.monotonic() - began) / 1000);
        outcome = reply("forward", message);
        if (!failover.includes(message.rcode)) return outcome;
      } catch (error) {
        if (outcome.kind !== "reply") outcome = failure(rcodes.SERVFAIL, new Error(errorMessage(error)), unreachable);
      }
    }
    return outcome;
  }

  /** Each server once; one that is up a second time, for what got lost on the way. */
  #attempts(order: readonly Upstream[]): readonly Upstream[] {
    const { maxAttempts = 2 * order.length } = this.#settings;
    const all = [...order, ...order.filter((upstream) => !upstream.down)];
    return maxAttempts === 0 ? all : all.slice(0, maxAttempts);
  }

  #nobody(): Outcome {
    const quarantined = this.#upstreams.find((upstream) => upstream.quarantined !== undefined)?.quarantined;
    return failure(
      rcodes.SERVFAIL,
      new Error(quarantined ?? "no healthy proxies"),
      quarantined === undefined ? unreachable : { ...unreachable, text: "the upstream leads back here" },
    );
  }

  /** Those that are up first; if none is, all: an answer is still possible. */
  #inOrder(): readonly Upstream[] {
    const usable = this.#upstreams.filter(({ quarantined }) => quarantined === undefined);
    const up = usable.filter((upstream) => !upstream.down);
    if (up.length === 0 && usable.length > 0) this.#broken.inc();
    const candidates = up.length > 0 || this.#settings.failfast ? up : usable;
    if (this.#settings.policy === "sequential" || candidates.length < 2) return candidates;
    const start = this.#settings.policy === "round_robin" ? this.#turn++ : Math.floor(this.#environment.random() * candidates.length);
    return candidates.map((_, i) => candidates[(start + i) % candidates.length] as Upstream);
  }

  stop(): void {
    for (const upstream of this.#upstreams) upstream.stop();
  }
}
