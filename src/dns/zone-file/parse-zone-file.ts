/**
 * Zone files (RFC 1035 5, RFC 2308 4 `$TTL`, BIND's `$GENERATE`) to records. Text is taken apart into entries first: parentheses
 * join lines, quotes and comments are kept apart.
 */
import { absolute, foldName, isDomainName, under } from "../../decide/dns/name.ts";
import type { ResourceRecord } from "../../decide/dns/records.ts";
import { errorMessage } from "../../lib/errors.ts";
import { parseRecord, parseTtl } from "../wire/parse-record.ts";
import { entries, type Entry } from "./entries.ts";
import { generate } from "./generate.ts";

export type ZoneFile =
  | { readonly kind: "ok"; readonly records: readonly ResourceRecord[] }
  | { readonly kind: "error"; readonly reason: string };

export interface ZoneFileOptions {
  /** Absolute. */
  readonly origin: string;
  /** Named in errors. */
  readonly file: string;
  /** Reads a file of `$INCLUDE`; undefined: that is not allowed. Throws as `fs.readFileSync` does. */
  readonly include?: (path: string, from: string) => { readonly text: string; readonly file: string };
}

const maxIncludes = 7;
const maxRecords = 1_000_000;

/** Stays inside `zone-file`. */
class ZoneFileError extends Error {}

export function parseZoneFile(text: string, options: ZoneFileOptions): ZoneFile {
  const state: State = { origin: options.origin, owner: undefined, ttl: undefined, lastTtl: undefined, records: [] };
  try {
    read(text, options.file, options, state, 0);
    return { kind: "ok", records: state.records };
  } catch (error) {
    if (error instanceof ZoneFileError) return { kind: "error", reason: error.message };
    throw error;
  }
}

interface State {
  origin: string;
  owner: string | undefined;
  /** Of `$TTL`. */
  ttl: number | undefined;
  /** Of the record before: what a record without one takes where there is no `$TTL`. */
  lastTtl: number | undefined;
  readonly records: ResourceRecord[];
}

function read(text: string, file: string, options: ZoneFileOptions, state: State, depth: number): void {
  for (const entry of entries(text)) {
    const fail = (reason: string): ZoneFileError => new ZoneFileError(`${file}:${entry.line}: ${reason}`);
    if (entry.unclosed) throw fail("a parenthesis or quote is not closed");
    const [word = "", ...args] = entry.text.trim().split(/\s+/);
    switch (word.toUpperCase()) {
      case "$ORIGIN":
        state.origin = nameOf(args[0], state.origin, fail);
        break;
      case "$TTL":
        state.ttl = parseTtl(args[0] ?? "");
        if (state.ttl === undefined) throw fail(`${JSON.stringify(args[0])} is no TTL`);
        break;
      case "$INCLUDE":
        include(args, file, options, state, depth, fail);
        break;
      case "$GENERATE": {
        const lines = generate(entry.text);
        if (typeof lines === "string") throw fail(lines);
        for (const line of lines) add({ ...entry, text: line }, state, fail);
        break;
      }
      default:
        if (word.startsWith("$")) throw fail(`unknown directive ${word}`);
        add(entry, state, fail);
    }
  }
}

type Fail = (reason: string) => ZoneFileError;

function add(entry: Entry, state: State, fail: Fail): void {
  const ttl = state.ttl ?? state.lastTtl;
  const context = {
    origin: state.origin,
    ...(state.owner === undefined ? {} : { owner: state.owner }),
    ...(ttl === undefined ? {} : { ttl }),
  };
  const parsed = parseRecord(entry.text, context);
  if (parsed.kind === "error") throw fail(parsed.reason);
  if (state.records.length >= maxRecords) throw fail(`a zone has at most ${maxRecords} records`);
  state.owner = parsed.record.name;
  state.lastTtl = parsed.record.ttl;
  state.records.push(parsed.record);
}

function nameOf(text: string | undefined, origin: string, fail: Fail): string {
  if (text === undefined || !isDomainName(text)) throw fail(`${JSON.stringify(text)} is no domain name`);
  return foldName(absolute(text) === text ? text : under(text, origin));
}

/** FILE [ORIGIN]: the origin and owner of the including file stay as they were. */
function include(args: readonly string[], file: string, options: ZoneFileOptions, state: State, depth: number, fail: Fail): void {
  const [path = "", origin] = args;
  if (options.include === undefined) throw fail("$INCLUDE is not allowed here");
  if (depth >= maxIncludes) throw fail("too deeply nested $INCLUDE");
  const { origin: before, owner } = state;
  if (origin !== undefined) state.origin = nameOf(origin, state.origin, fail);
  let found;
  try {
    found = options.include(path.replace(/^"(.*)"$/, "$1"), file);
  } catch (error) {
    throw fail(`${path} cannot be read: ${errorMessage(error)}`);
  }
  read(found.text, found.file, options, state, depth + 1);
  state.origin = before;
  state.owner = owner;
}
