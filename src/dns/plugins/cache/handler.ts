/** Keeps answers for as long as they say, those of other servers and zones; an answer that shows live state is never kept. */
import { foldName, matchZone } from "../../../decide/dns/name.ts";
import { rcodes } from "../../../decide/dns/records.ts";
import {
  after,
  mapRecords,
  type Awaitable,
  type DnsRequest,
  type Handler,
  type Next,
  type Outcome,
  type PluginEnvironment,
  type Reply,
} from "../../plugin.ts";
import type { Message } from "../../wire/message.ts";
import { classify, leastTtl, type CacheClass } from "./classify.ts";
import { cacheMetrics, type CacheMetrics, type Pool } from "./metrics.ts";

export interface PoolSettings {
  /** Answers kept at most; the oldest goes first. */
  capacity: number;
  /** Seconds. */
  maxTtl: number;
  minTtl: number;
  /** Zones whose answers are not kept. */
  except: readonly string[];
}

export interface CacheSettings {
  readonly zones: readonly string[];
  readonly success: PoolSettings;
  readonly denial: PoolSettings;
  /** Seconds for which a failure is kept; 0: not at all. */
  readonly servfailTtl: number;
  /** Times are told as they came, not counted down. */
  readonly keepTtl: boolean;
}

interface Entry {
  readonly message: Message;
  readonly plugin: string;
  /** Monotonic milliseconds. */
  readonly stored: number;
  readonly ttl: number;
}

export class CacheHandler implements Handler {
  readonly name = "cache";
  readonly #settings: CacheSettings;
  readonly #clock: PluginEnvironment["clock"];
  readonly #pools: Readonly<Record<Pool, Map<string, Entry>>> = { success: new Map(), denial: new Map() };
  readonly #metrics: CacheMetrics;

  constructor(settings: CacheSettings, { clock, metrics }: Pick<PluginEnvironment, "clock" | "metrics">) {
    this.#settings = settings;
    this.#clock = clock;
    this.#metrics = cacheMetrics(metrics, settings.zones.join(","));
  }

  serveDNS(request: DnsRequest, next: Next): Awaitable<Outcome> {
    if (matchZone(this.#settings.zones, request.name) === undefined) return next(request);
    const key = keyOf(request);
    const [pool, entry] = this.#find(key);
    if (pool !== undefined && entry !== undefined) {
      this.#metrics.hit(request.server, pool);
      return { kind: "reply", plugin: entry.plugin, message: this.#answer(entry, request) };
    }
    this.#metrics.miss(request.server);
    return after(next(request), (outcome) =>
      outcome.kind === "reply" && outcome.live !== true ? this.#take(key, request, outcome) : outcome,
    );
  }

  /** A denial is the newer of the two, but a failure must not hide a good answer that is still fresh. */
  #find(key: string): readonly [Pool, Entry] | readonly [] {
    const denial = this.#fresh("denial", key);
    const success = denial === undefined || denial.message.rcode === rcodes.SERVFAIL ? this.#fresh("success", key) : undefined;
    if (success !== undefined) return ["success", success];
    return denial === undefined ? [] : ["denial", denial];
  }

  #fresh(pool: Pool, key: string): Entry | undefined {
    const entry = this.#pools[pool].get(key);
    if (entry === undefined || this.#age(entry) < entry.ttl) return entry;
    this.#pools[pool].delete(key);
    return undefined;
  }

  #age({ stored }: Entry): number {
    return Math.floor((this.#clock.monotonic() - stored) / 1000);
  }

  /** With the question as it was asked now: its case may be another. AA as CoreDNS: old stub resolvers want it. */
  #answer(entry: Entry, { message: query, question }: DnsRequest): Message {
    const left = this.#settings.keepTtl ? entry.ttl : entry.ttl - this.#age(entry);
    return {
      ...withTtl(entry.message, left),
      id: query.id,
      questions: [question],
      recursionDesired: query.recursionDesired,
      checkingDisabled: query.checkingDisabled,
      authoritative: true,
      authenticData: entry.message.authenticData && wantsAuthenticData(query),
    };
  }

  /** Keeps it if it may be kept; it goes out with the time for which it is. */
  #take(key: string, request: DnsRequest, outcome: Reply): Outcome {
    const { message } = outcome;
    const what = classify(message);
    if (what === "never") return outcome;
    const ttl = this.#ttl(what, message);
    if (ttl > 0) this.#keep(what === "success" ? "success" : "denial", key, request, outcome, ttl);
    const shown = withTtl(message, ttl);
    return { ...outcome, message: wantsAuthenticData(request.message) ? shown : { ...shown, authenticData: false } };
  }

  #ttl(what: Exclude<CacheClass, "never">, message: Message): number {
    if (what === "servfail") return this.#settings.servfailTtl;
    const { minTtl, maxTtl } = this.#settings[what];
    return Math.min(Math.max(leastTtl(message, maxTtl), minTtl), maxTtl);
  }

  #keep(pool: Pool, key: string, request: DnsRequest, { message, plugin }: Reply, ttl: number): void {
    const settings = this.#settings[pool];
    const [echoed] = message.questions;
    const { question } = request;
    // An answer to another question is a fault or a forgery (RFC 5452 9.1).
    if (echoed?.type !== question.type || echoed.class !== question.class || foldName(echoed.name) !== request.name) {
      return this.#metrics.drop(request.server);
    }
    if (settings.capacity === 0 || matchZone(settings.except, request.name) !== undefined) return;
    const entries = this.#pools[pool];
    entries.delete(key);
    entries.set(key, { message, plugin, stored: this.#clock.monotonic(), ttl });
    if (entries.size > settings.capacity) {
      entries.delete(entries.keys().next().value as string);
      this.#metrics.evict(request.server, pool);
    }
    this.#metrics.size(request.server, pool, entries.size);
  }
}

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
