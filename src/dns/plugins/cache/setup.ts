import { zonesOf, zonesOrBlock } from "../../corefile/zones.ts";
import { parseDuration } from "../../corefile/duration.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import type { PluginEntry } from "../../plugin.ts";
import type { PoolSettings } from "./entries.ts";
import { CacheHandler, type CacheSettings } from "./handler.ts";
import type { CachePolicy } from "./policy.ts";
import { readServeStale } from "./serve-stale.ts";

const pools = ["success", "denial"] as const;
const [defaultCapacity, maxTtl, minTtl, maxServfailMs] = [9984, 3600, 5, 300_000];

export type PolicyDraft = { -readonly [K in keyof CachePolicy]: CachePolicy[K] };
type Draft = { -readonly [K in Exclude<keyof CacheSettings, "policy">]: CacheSettings[K] } & { readonly policy: PolicyDraft };

const defaultPolicy: CachePolicy = {
  staleUpTo: 0,
  staleMode: "immediate",
  verifyMs: 0,
  staleTtl: 0,
  recheckMs: 0,
  preferPositive: false,
  prefetch: 0,
  prefetchGapMs: 60_000,
  prefetchPercent: 10,
};

export const cache: PluginEntry = {
  name: "cache",
  setup(reader, { zones, environment }) {
    reader.next();
    const args = reader.args();
    const ttl = /^-?\d+$/.test(args[0] ?? "") ? Number(args.shift()) : undefined;
    if (ttl !== undefined && ttl <= 0) throw reader.error(`cache TTL can not be zero or negative: ${ttl}`);
    const settings: Draft = {
      zones: zonesOrBlock(args, zones),
      success: { capacity: defaultCapacity, maxTtl: ttl ?? maxTtl, minTtl, except: [] },
      denial: { capacity: defaultCapacity, maxTtl: ttl ?? maxTtl / 2, minTtl, except: [] },
      servfailTtl: 5,
      keepTtl: false,
      policy: { ...defaultPolicy },
    };
    while (reader.nextInBlock()) readProperty(reader, settings);
    if (settings.policy.preferPositive && settings.policy.staleUpTo === 0) throw reader.error("serve_stale_policy requires serve_stale");
    const handler = new CacheHandler(settings, environment);
    return { handlers: [handler], kept: (name, type) => handler.kept(name, type) };
  },
};

function readProperty(reader: TokenReader, settings: Draft): void {
  const property = reader.value;
  const pool = pools.find((name) => name === property);
  if (pool !== undefined) return readPool(reader, settings[pool]);
  switch (property) {
    case "disable":
      return readDisable(reader, settings);
    case "servfail":
      settings.servfailTtl = readServfail(reader);
      return;
    case "prefetch":
      return readPrefetch(reader, settings.policy);
    case "serve_stale":
      return readServeStale(reader, settings.policy);
    case "serve_stale_policy": {
      const [name = ""] = reader.exactly(1);
      if (name.toLowerCase() !== "prefer_positive") throw reader.error(`unknown serve_stale_policy '${name}'; expected prefer_positive`);
      if (settings.policy.preferPositive) throw reader.error("serve_stale_policy can only be specified once");
      settings.policy.preferPositive = true;
      return;
    }
    case "keepttl":
      reader.exactly(0);
      settings.keepTtl = true;
      return;
    default:
      throw reader.error(`unknown property '${property}'`);
  }
}

/** success|denial [ZONES...]; without zones: everywhere. */
function readDisable(reader: TokenReader, settings: Draft): void {
  const [what = "", ...named] = reader.args();
  const known = pools.find((name) => name === what);
  if (known === undefined) throw reader.error(`cache type for disable must be "success" or "denial"`);
  settings[known].except = named.length === 0 ? ["."] : named.flatMap(zonesOf);
}

function readServfail(reader: TokenReader): number {
  const [text = ""] = reader.exactly(1);
  const ms = parseDuration(text);
  if (ms === undefined || ms < 0) throw reader.error(`invalid ttl for servfail: '${text}'`);
  // RFC 2308 7.1
  if (ms > maxServfailMs) throw reader.error("caching SERVFAIL responses over 5 minutes is not permitted");
  return Math.floor(ms / 1000);
}

/** CAPACITY [TTL [MINTTL]] */
function readPool(reader: TokenReader, pool: PoolSettings): void {
  const numbers = reader.args().map((text) => {
    if (!/^\d+$/.test(text)) throw reader.error(`invalid number '${text}'`);
    return Number(text);
  });
  if (numbers.length === 0 || numbers.length > 3) throw reader.argumentError();
  if (numbers[1] === 0) throw reader.error("cache TTL can not be zero or negative: 0");
  const [capacity = pool.capacity, most = pool.maxTtl, least = pool.minTtl] = numbers;
  Object.assign(pool, { capacity, maxTtl: most, minTtl: least });
}

/** AMOUNT [DURATION [PERCENTAGE%]] */
function readPrefetch(reader: TokenReader, policy: PolicyDraft): void {
  const [amount = "", duration, percent, ...more] = reader.args();
  if (amount === "" || more.length > 0) throw reader.argumentError();
  if (!/^-?\d+$/.test(amount)) throw reader.error(`invalid prefetch amount '${amount}'`);
  if (Number(amount) < 0) throw reader.error("prefetch amount should be positive");
  policy.prefetch = Number(amount);
  if (duration !== undefined) {
    const ms = parseDuration(duration);
    if (ms === undefined) throw reader.error(`invalid prefetch duration '${duration}'`);
    policy.prefetchGapMs = ms;
  }
  if (percent === undefined) return;
  const [, digits] = /^(\d+)%$/.exec(percent) ?? [];
  if (digits === undefined) throw reader.error(`last character of percentage should be \`%\`, but is: '${percent.at(-1)}'`);
  if (Number(digits) < 10 || Number(digits) > 90) throw reader.error(`percentage should fall in range [10, 90]: ${digits}`);
  policy.prefetchPercent = Number(digits);
}
