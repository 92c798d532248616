/**
 * A record from one line of a zone file: `[NAME] [TTL] [CLASS] TYPE DATA`, names relative to nothing (each is made absolute).
 * For the plugins whose Corefile holds records, and for tests. Multi-line parentheses are taken as spaces.
 */
import { absolute, isDomainName, under } from "../../decide/dns/name.ts";
import { classCode, classes, recordTypes as T, typeCode, type RecordData, type ResourceRecord } from "../../decide/dns/records.ts";
import { formatIp, parseIp } from "../../lib/ip.ts";
import { fieldsOf, parseFields, type FieldSource } from "./rdata-fields.ts";
import { kindOf } from "./rdata.ts";
import { parseSvcValue, svcKey } from "./svcb-text.ts";

export type ParsedRecord = { readonly kind: "ok"; readonly record: ResourceRecord } | { readonly kind: "error"; readonly reason: string };

class RecordError extends Error {}

/** The TTL of a line without one: as miekg/dns, whose records CoreDNS reads. */
const defaultTtl = 3600;

/** Where relative names and missing parts of a line come from. */
export interface RecordContext {
  /** Absolute; names that do not end in a dot are below it. Default: the root. */
  readonly origin?: string;
  /** Of the record before, for a line that begins with white space. */
  readonly owner?: string;
  /** Seconds. */
  readonly ttl?: number;
}

export function parseRecord(line: string, context: RecordContext = {}): ParsedRecord {
  try {
    return { kind: "ok", record: parse(new Fields(line, context.origin ?? "."), line, context) };
  } catch (error) {
    if (error instanceof RecordError) return { kind: "error", reason: error.message };
    throw error;
  }
}

function parse(fields: Fields, line: string, context: RecordContext): ResourceRecord {
  const name = /^\s/.test(line) && context.owner !== undefined ? context.owner : fields.name();
  let ttl = context.ttl ?? defaultTtl;
  let recordClass: number = classes.IN;
  for (;;) {
    const word = fields.word("a TTL, a class or a type");
    const type = typeCode(word);
    if (type !== undefined) {
      const data = parseData(fields, type);
      fields.end();
      return { name, type, class: recordClass, ttl, data };
    }
    const seconds = parseTtl(word);
    const named = classCode(word);
    if (seconds !== undefined) ttl = seconds;
    else if (named !== undefined) recordClass = named;
    else throw new RecordError(`${JSON.stringify(word)} is no TTL, class or type`);
  }
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** `3600`, `1h30m`: seconds; undefined when it is no time. */
export function parseTtl(word: string): number | undefined {
  if (/^\d+$/.test(word)) return Number(word) <= 0xffff_ffff ? Number(word) : undefined;
  if (!/^(\d+[smhdw])+$/i.test(word)) return undefined;
  return [...word.matchAll(/(\d+)([smhdw])/gi)].reduce(
    (sum, [, count, unit = "s"]) => sum + Number(count) * (unitSeconds[unit.toLowerCase()] ?? 1),
    0,
  );
}

function parseData(fields: Fields, type: number): RecordData {
  if (fields.peek() === "\\#") return parseOpaque(fields);
  const kind = kindOf(type);
  switch (kind) {
    case "address":
      return { kind, address: fields.address(type === T.A ? 4 : 6) };
    case "name":
      return { kind, target: fields.name() };
    case "soa":
      return {
        kind,
        mname: fields.name(),
        rname: fields.name(),
        serial: fields.number(0xffff_ffff),
        refresh: fields.seconds(),
        retry: fields.seconds(),
        expire: fields.seconds(),
        minimum: fields.seconds(),
      };
    case "mx":
      return { kind, preference: fields.number(0xffff), exchange: fields.name() };
    case "srv":
      return { kind, priority: fields.number(0xffff), weight: fields.number(0xffff), port: fields.number(0xffff), target: fields.name() };
    case "txt":
      return { kind, strings: fields.strings() };
    case "hinfo":
      return { kind, cpu: fields.string(), os: fields.string() };
    case "names":
      return { kind, first: fields.name(), second: fields.name() };
    case "caa":
      return { kind, flags: fields.number(0xff), tag: fields.word("a tag"), value: fields.string() };
    case "naptr":
      return {
        kind,
        order: fields.number(0xffff),
        preference: fields.number(0xffff),
        flags: fields.string(),
        services: fields.string(),
        regexp: fields.string(),
        replacement: fields.name(),
      };
    case "svcb":
      return parseService(fields);
    case "opaque": {
      const kinds = fieldsOf(type);
      if (kinds === undefined) throw new RecordError("this type is read in the form of RFC 3597 only: \\# LENGTH HEX");
      return { kind, bytes: parseFields(kinds, fields) };
    }
  }
}

/** PRIORITY TARGET [KEY[=VALUE]]... */
function parseService(fields: Fields): RecordData {
  const priority = fields.number(0xffff);
  const target = fields.name();
  const params = fields.rest().map((word) => {
    const [, name = "", , value = ""] = /^([^=]+)(=(.*))?$/s.exec(word) ?? [];
    const key = svcKey(name);
    const bytes = key === undefined ? undefined : parseSvcValue(key, value.replace(/^"(.*)"$/s, "$1"));
    if (key === undefined || bytes === undefined) throw new RecordError(`${JSON.stringify(word)} is no parameter of a service`);
    return { key, value: Uint8Array.from(bytes) };
  });
  return { kind: "svcb", priority, target, params: params.sort((a, b) => a.key - b.key) };
}

function parseOpaque(fields: Fields): RecordData {
  fields.word("\\#");
  const size = fields.number(0xffff);
  const hex = fields.rest().join("");
  if (!/^([0-9a-f]{2})*$/i.test(hex) || hex.length !== 2 * size) throw new RecordError(`${size} bytes in hexadecimal were expected`);
  return { kind: "opaque", bytes: Uint8Array.from(Buffer.from(hex, "hex")) };
}

interface Field {
  readonly text: string;
  readonly quoted: boolean;
}

class Fields implements FieldSource {
  readonly #fields: readonly Field[];
  readonly #origin: string;
  #next = 0;

  constructor(line: string, origin: string) {
    this.#origin = origin;
    const found = line.matchAll(/"((?:[^"\\]|\\[^])*)"|;[^\n]*|[()]|((?:[^\s"();\\]|\\[^]|(?<==)"(?:[^"\\]|\\[^])*")+)/g);
    this.#fields = [...found].flatMap(([, quoted, bare]): Field[] =>
      quoted !== undefined ? [{ text: quoted, quoted: true }] : bare !== undefined ? [{ text: bare, quoted: false }] : [],
    );
  }

  peek(): string | undefined {
    return this.#fields[this.#next]?.text;
  }

  #take(wanted: string): Field {
    const field = this.#fields[this.#next++];
    if (field === undefined) throw new RecordError(`the record ends where ${wanted} was expected`);
    return field;
  }

  word(wanted: string): string {
    return this.#take(wanted).text;
  }

  name(): string {
    const text = this.word("a name");
    if (text === "@") return this.#origin;
    if (!isDomainName(text)) throw new RecordError(`${JSON.stringify(text)} is no domain name`);
    const whole = absolute(text) === text ? text : under(text, this.#origin);
    if (!isDomainName(whole)) throw new RecordError(`${JSON.stringify(whole)} is longer than a domain name may be`);
    return whole;
  }

  number(max: number): number {
    const text = this.word("a number");
    if (!/^\d+$/.test(text) || Number(text) > max) throw new RecordError(`${JSON.stringify(text)} is no number up to ${max}`);
    return Number(text);
  }

  seconds(): number {
    const text = this.word("a time in seconds");
    const seconds = parseTtl(text);
    if (seconds === undefined) throw new RecordError(`${JSON.stringify(text)} is no time in seconds`);
    return seconds;
  }

  address(family: 4 | 6): string {
    const text = this.word("an address");
    const ip = parseIp(text);
    if (ip?.family !== family) throw new RecordError(`${JSON.stringify(text)} is no IPv${family} address`);
    return formatIp(ip);
  }

  string(): string {
    return this.word("a string").replace(/\\(\d{3}|[^])/g, (_, what: string) =>
      what.length === 3 ? String.fromCharCode(Number(what) & 0xff) : what,
    );
  }

  strings(): string[] {
    const strings = [this.string()];
    while (this.#next < this.#fields.length) strings.push(this.string());
    return strings;
  }

  fail(reason: string): Error {
    return new RecordError(reason);
  }

  rest(): string[] {
    const rest = this.#fields.slice(this.#next).map(({ text }) => text);
    this.#next = this.#fields.length;
    return rest;
  }

  end(): void {
    const extra = this.#fields[this.#next];
    if (extra !== undefined) throw new RecordError(`${JSON.stringify(extra.text)} follows the record`);
  }
}
