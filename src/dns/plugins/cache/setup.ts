import { zonesOf, zonesOrBlock } from "../../corefile/zones.ts";
import { parseDuration } from "../../corefile/duration.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import type { PluginEntry } from "../../plugin.ts";
import { CacheHandler, type CacheSettings, type PoolSettings } from "./handler.ts";

const pools = ["success", "denial"] as const;
const absent = ["prefetch", "serve_stale", "serve_stale_policy"];
const [defaultCapacity, maxTtl, minTtl, maxServfailMs] = [10_000, 3600, 5, 300_000];

type Draft = { -readonly [K in keyof CacheSettings]: CacheSettings[K] };

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
    };
    while (reader.nextInBlock()) readProperty(reader, settings);
    return { handlers: [new CacheHandler(settings, environment)] };
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
    case "keepttl":
      reader.exactly(0);
      settings.keepTtl = true;
      return;
    default:
      throw reader.error(
        absent.includes(property) ? `property '${property}' of cache is not supported here` : `unknown property '${property}'`,
      );
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
