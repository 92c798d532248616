/** Keeps answers for as long as they say, those of other servers and zones; an answer that shows live state is never kept. */
import { matchZone } from "../../../decide/dns/name.ts";
import { classes, rcodes } from "../../../decide/dns/records.ts";
import {
  after,
  mapRecords,
  reply,
  type Awaitable,
  type CountAgain,
  type DnsRequest,
  type Handler,
  type KeptState,
  type Next,
  type Outcome,
  type PluginEnvironment,
  type Reply,
} from "../../plugin.ts";
import { extendedErrors, withReason } from "../../wire/extended-error.ts";
import { createReply, type Message } from "../../wire/message.ts";
import { answersQuestion, classify, isTo, leastTtl, withoutSignatures, type CacheClass } from "./classify.ts";
import { EntryPool, type Entry, type PoolSettings } from "./entries.ts";
import { cacheMetrics, type CacheMetrics, type Pool } from "./metrics.ts";
import { count, isDue, judge, type CachePolicy, type Verdict } from "./policy.ts";

export interface CacheSettings {
  readonly zones: readonly string[];
  readonly success: PoolSettings;
  readonly denial: PoolSettings;
  /** Seconds for which a failure is kept; 0: not at all. */
  readonly servfailTtl: number;
  /** Times are told as they came, not counted down. */
  readonly keepTtl: boolean;
  readonly policy: CachePolicy;
}

interface Hit {
  readonly pool: Pool;
  readonly entry: Entry;
  readonly verdict: Exclude<Verdict, { kind: "gone" }>;
}

export class CacheHandler implements Handler {
  readonly name = "cache";
  readonly repeatable = true;
  readonly #settings: CacheSettings;
  readonly #clock: PluginEnvironment["clock"];
  readonly #pools: Readonly<Record<Pool, EntryPool>>;
  readonly #metrics: CacheMetrics;

  constructor(settings: CacheSettings, { clock, metrics }: Pick<PluginEnvironment, "clock" | "metrics">) {
    this.#settings = settings;
    this.#clock = clock;
    this.#pools = { success: new EntryPool(settings.success), denial: new EntryPool(settings.denial) };
    this.#metrics = cacheMetrics(metrics, settings.zones.join(","));
  }

  serveDNS(request: DnsRequest, next: Next): Awaitable<Outcome> {
    if (matchZone(this.#settings.zones, request.name) === undefined) return next(request);
    const key = keyOf(request);
    const hit = this.#find(key, request);
    if (hit === undefined) {
      this.#metrics.miss(request);
      return after(next(request), (outcome) => this.#take(key, request, outcome));
    }
    this.#metrics.hit(request, hit.pool);
    if (hit.verdict.kind === "stale") return this.#stale(key, request, hit, next);
    return this.#fresh(key, request, hit, hit.verdict.left, next);
  }

  /** Whatever its variant: with or without DNSSEC records and checking. */
  kept(name: string, type: number): readonly KeptState[] {
    const now = this.#clock.monotonic();
    const found = pools.flatMap((pool) =>
      variants.flatMap((variant) => this.#pools[pool].get(`${type} ${classes.IN} ${variant} ${name}`) ?? []),
    );
    return found.flatMap((entry) => {
      const verdict = judge(entry, now, this.#settings.policy);
      if (verdict.kind === "gone") return [];
      const secondsLeft = verdict.kind === "fresh" ? verdict.left : -verdict.overdue;
      return [{ rcode: entry.message.rcode, records: entry.message.answers.length, secondsLeft }];
    });
  }

  repeats(request: DnsRequest, outcome: Reply): CountAgain | undefined {
    const pool: Pool = outcome.message.answers.length > 0 ? "success" : "denial";
    return outcome.by === "cache" ? this.#metrics.hitAgain(request, pool) : undefined;
  }

  /** A denial is the newer of the two, but a failure must not hide a good answer. */
  #find(key: string, request: DnsRequest): Hit | undefined {
    const denial = this.#look("denial", key);
    const success = this.#look("success", key);
    if (denial === undefined || success === undefined) return denial ?? success;
    const { preferPositive } = this.#settings.policy;
    const failed = denial.entry.message.rcode === rcodes.SERVFAIL || denial.entry.message.rcode === rcodes.NOTIMP;
    if (preferPositive && answersQuestion(success.entry.message.answers, request.question)) return success;
    return failed && success.verdict.kind === "fresh" ? success : denial;
  }

  #look(pool: Pool, key: string): Hit | undefined {
    const entry = this.#pools[pool].get(key);
    const verdict = entry === undefined ? undefined : judge(entry, this.#clock.monotonic(), this.#settings.policy);
    if (entry === undefined || verdict === undefined) return undefined;
    if (verdict.kind !== "gone") return { pool, entry, verdict };
    this.#pools[pool].delete(key);
    return undefined;
  }

  #fresh(key: string, request: DnsRequest, { entry }: Hit, left: number, next: Next): Reply {
    const { policy, keepTtl } = this.#settings;
    const now = this.#clock.monotonic();
    if (policy.prefetch > 0) {
      count(entry, now, policy);
      if (isDue(entry, entry.ttl, left, policy) && now >= entry.busyUntil) {
        this.#metrics.prefetch(request);
        this.#refresh(key, request, entry, next);
      }
    }
    const answer = this.#answer(entry, request, keepTtl ? entry.ttl : left);
    // Who counts queries, to fetch what is asked for often, must see each of them.
    if (policy.prefetch > 0) return answer;
    const sinceSecond = (now - entry.stored) % 1000;
    const holds = { until: "time", ms: left * 1000 - sinceSecond, ...(keepTtl ? {} : { sinceSecond }) } as const;
    return { ...answer, holds };
  }

  #stale(key: string, request: DnsRequest, hit: Hit, next: Next): Awaitable<Outcome> {
    const { policy } = this.#settings;
    const { entry } = hit;
    const serve = (): Reply => {
      this.#metrics.stale(request);
      const answer = this.#answer(entry, request, policy.staleTtl);
      const code = entry.message.rcode === rcodes.NXDOMAIN ? extendedErrors.STALE_NXDOMAIN : extendedErrors.STALE_ANSWER;
      return { ...answer, message: withReason(answer.message, { code }) };
    };
    if (this.#clock.monotonic() < entry.busyUntil) return serve();
    const refreshed = this.#refresh(key, request, entry, next);
    if (policy.staleMode === "immediate") return serve();
    return this.#orLater(refreshed, policy.verifyMs).then((outcome) => (outcome === undefined ? serve() : outcome));
  }

  /** Asks the source; undefined when what it says is no better than what is kept. It goes on whoever waits for it. */
  async #refresh(key: string, request: DnsRequest, entry: Entry, next: Next): Promise<Outcome | undefined> {
    entry.busyUntil = Number.POSITIVE_INFINITY;
    let outcome: Outcome | undefined;
    try {
      outcome = await next(request);
    } catch {
      // The chain tells its own faults; here it only did not answer.
      outcome = undefined;
    }
    const { policy } = this.#settings;
    const positive = policy.preferPositive && entry.message.answers.length > 0;
    const good = outcome?.kind === "reply" && isGood(outcome.message, request, positive, this.#clock.now());
    entry.busyUntil = good ? 0 : this.#clock.monotonic() + policy.recheckMs;
    return good && outcome !== undefined ? this.#take(key, request, outcome, true) : undefined;
  }

  #orLater<T>(value: Promise<T>, ms: number): Promise<T | undefined> {
    if (ms === 0) return value;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(ms, () => resolve(undefined));
      value.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  /** With the question as it was asked now: its case may be another. AA as CoreDNS: old stub resolvers want it. */
  #answer(entry: Entry, { message: query, question }: DnsRequest, ttl: number): Reply {
    const message: Message = {
      ...withTtl(entry.message, ttl),
      id: query.id,
      questions: [question],
      recursionDesired: query.recursionDesired,
      checkingDisabled: query.checkingDisabled,
      authoritative: true,
      authenticData: entry.message.authenticData && wantsAuthenticData(query),
    };
    return { ...reply(entry.plugin, message), by: "cache" };
  }

  /** Keeps it if it may be kept; it goes out with the time for which it is. */
  #take(key: string, request: DnsRequest, outcome: Outcome, refresh = false): Outcome {
    if (outcome.kind === "none") return this.#takeFailure(key, request, outcome);
    if (outcome.kind !== "reply" || outcome.live === true) return outcome;
    const what = classify(outcome.message, this.#clock.now());
    if (what === "never") return outcome;
    const message = request.message.edns?.dnssecOk === true ? outcome.message : withoutSignatures(outcome.message);
    const ttl = this.#ttl(what, message);
    if (ttl > 0) this.#keep(what === "success" ? "success" : "denial", key, request, { ...outcome, message }, ttl);
    if (refresh && what === "success") this.#pools.denial.delete(key);
    const shown = withTtl(message, ttl);
    const { holds: _, ...plain } = outcome;
    return { ...plain, message: wantsAuthenticData(request.message) ? shown : { ...shown, authenticData: false } };
  }

  /** No server answered: asking again at once would not help anybody (RFC 9520 3.2). */
  #takeFailure(key: string, request: DnsRequest, outcome: Extract<Outcome, { kind: "none" }>): Outcome {
    const { servfailTtl } = this.#settings;
    const unreachable =
      outcome.reason?.code === extendedErrors.NO_REACHABLE_AUTHORITY || outcome.reason?.code === extendedErrors.NETWORK_ERROR;
    if (outcome.rcode !== rcodes.SERVFAIL || !unreachable || servfailTtl === 0) return outcome;
    const message = withReason(createReply(request.message, { rcode: rcodes.SERVFAIL }), { code: extendedErrors.CACHED_ERROR });
    this.#keep("denial", key, request, reply("forward", message), servfailTtl);
    return outcome;
  }

  #ttl(what: Exclude<CacheClass, "never">, message: Message): number {
    if (what === "servfail") return this.#settings.servfailTtl;
    const { minTtl, maxTtl } = this.#settings[what];
    return Math.min(Math.max(leastTtl(message, maxTtl), minTtl), maxTtl);
  }

  #keep(pool: Pool, key: string, request: DnsRequest, { message, plugin }: Reply, ttl: number): void {
    const entries = this.#pools[pool];
    if (!isTo(message, request.question)) return this.#metrics.drop(request);
    if (entries.settings.capacity === 0 || matchZone(entries.settings.except, request.name) !== undefined) return;
    const now = this.#clock.monotonic();
    const before = entries.get(key);
    const entry: Entry = {
      message,
      plugin,
      stored: now,
      ttl,
      hits: before?.hits ?? 0,
      last: before?.last ?? now,
      prefetched: before !== undefined,
      busyUntil: 0,
    };
    if (entries.set(key, entry)) this.#metrics.evict(request, pool);
    this.#metrics.size(request, pool, entries.size);
  }
}

/** Better than a stale answer: it denies or answers; where positive answers are preferred only one that answers. */
function isGood(message: Message, { question }: DnsRequest, positive: boolean, now: number): boolean {
  if (!isTo(message, question)) return false;
  if (positive) return message.rcode === rcodes.NOERROR && answersQuestion(message.answers, question);
  return (message.rcode === rcodes.NOERROR || message.rcode === rcodes.NXDOMAIN) && classify(message, now) !== "never";
}

const pools = ["success", "denial"] as const;
/** DO and CD of the question. */
const variants = ["00", "01", "10", "11"];

function keyOf({ name, question, message }: DnsRequest): string {
  return `${question.type} ${question.class} ${message.edns?.dnssecOk === true ? 1 : 0}${message.checkingDisabled ? 1 : 0} ${name}`;
}

/** RFC 6840 5.7. */
function wantsAuthenticData(query: Message): boolean {
  return query.authenticData || query.edns?.dnssecOk === true;
}

function withTtl(message: Message, ttl: number): Message {
  return mapRecords(message, (records) => records.map((record) => ({ ...record, ttl })));
}
