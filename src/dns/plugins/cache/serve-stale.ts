import { parseDuration } from "../../corefile/duration.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import type { PolicyDraft } from "./setup.ts";

const defaultSeconds = 3600;
/** RFC 8767 5 */
const maxRecheckMs = 300_000;
const maxTtl = 0xffff_ffff;

/** [DURATION] [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]] */
export function readServeStale(reader: TokenReader, policy: PolicyDraft): void {
  const args = reader.args();
  if (args.length > 5) throw reader.argumentError();
  policy.staleUpTo = defaultSeconds;
  const [duration, mode, ...rest] = args;
  if (duration === undefined) return;
  const ms = time(reader, duration, "serve_stale duration");
  policy.staleUpTo = Math.floor(ms / 1000);
  if (mode === undefined) return;
  const word = mode.toLowerCase();
  if (word !== "immediate" && word !== "verify") throw reader.error(`invalid value for serve_stale refresh mode: ${mode}`);
  policy.staleMode = word;
  if (word === "verify" && rest.length > 0) policy.verifyMs = time(reader, rest.shift() as string, "serve_stale verify timeout");
  const [ttl, recheck, ...more] = rest;
  if (more.length > 0) throw reader.argumentError();
  if (ttl !== undefined) policy.staleTtl = readTtl(reader, ttl);
  if (recheck !== undefined) policy.recheckMs = readRecheck(reader, recheck);
}

function time(reader: TokenReader, text: string, what: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw reader.error(`invalid ${what} '${text}'`);
  if (ms < 0) throw reader.error(`invalid negative ${what} '${text}'`);
  return ms;
}

function readTtl(reader: TokenReader, text: string): number {
  const ms = time(reader, text, "serve_stale response TTL");
  if (ms % 1000 !== 0) throw reader.error(`serve_stale response TTL must be a whole number of seconds: '${text}'`);
  if (ms / 1000 > maxTtl) throw reader.error(`serve_stale response TTL is too large: '${text}'`);
  return ms / 1000;
}

function readRecheck(reader: TokenReader, text: string): number {
  const ms = time(reader, text, "serve_stale failure recheck");
  if (ms > maxRecheckMs) throw reader.error(`serve_stale failure recheck should not be over 5 minutes: '${text}'`);
  return ms;
}
