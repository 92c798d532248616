/** CoreDNS's plugin cases as they are read: tables of rows, and the small things that the rows of many suites speak of. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { classes, recordTypes, typeCode, type ResourceRecord } from "../../decide/dns/records.ts";
import { reply } from "../plugin.ts";
import type { Backend } from "../plugins/plugin-rig.cases.ts";
import { createReply, type Message } from "../wire/message.ts";
import { parseRecord } from "../wire/parse-record.ts";
import { recordText } from "../wire/text.ts";

export interface Table {
  readonly plugin: string;
  readonly file: string;
  readonly func: string | null;
  readonly table: string;
  readonly rows: readonly unknown[];
}

export interface SetupCase {
  readonly plugin: string;
  readonly func: string;
  readonly block: unknown;
  readonly shouldErr: boolean | null;
}

export interface CaseFile {
  readonly tables: readonly Table[];
  readonly setup: readonly SetupCase[];
  readonly zoneTexts: Readonly<Record<string, string>>;
}

/** Why a row alone cannot be asked: what it says is not in the file. */
export interface Unasked {
  readonly unasked: string;
}

/** Asks one row; throws when the answer is another. `all`: every table of the file, for rows that speak of others. */
export type Suite<Row = never> = (row: Row, all: readonly Table[]) => Promise<Unasked | void> | Unasked | void;

const path = join(import.meta.dirname, "../../../../shared/cases/coredns-plugin-cases.json");
export const caseFile = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as CaseFile) : undefined;

export const keyOf = ({ plugin, func, table }: Pick<Table, "plugin" | "func" | "table">): string => `${plugin} ${func ?? "-"} ${table}`;

export const rowsOf = <Row>(all: readonly Table[], key: string): readonly Row[] =>
  all.filter((table) => keyOf(table) === key).flatMap(({ rows }) => rows as readonly Row[]);

/** A query and its answer, as CoreDNS's `test.Case` has them. */
export interface Case {
  readonly qname: string;
  readonly qtype: string;
  readonly rcode: string;
  readonly answer: readonly string[];
  readonly ns: readonly string[];
  readonly extra: readonly string[];
  readonly do?: boolean;
  readonly authenticateddata?: boolean;
  readonly checkingdisabled?: boolean;
  readonly more?: Readonly<Record<string, boolean>>;
}

export function record(line: string): ResourceRecord {
  const parsed = parseRecord(line);
  if (parsed.kind === "error") throw new Error(`${line}: ${parsed.reason}`);
  return parsed.record;
}

/** In the form that is compared: a TTL of 303 stands for any, a signature and the serial of a SOA record are not compared. */
export function comparable(one: ResourceRecord, free: boolean): string {
  const { data } = one;
  const shown = { ...one, ttl: free ? 303 : one.ttl, ...(data.kind === "soa" ? { data: { ...data, serial: 0 } } : {}) };
  const line = recordText(shown).toLowerCase();
  return one.type === recordTypes.RRSIG ? line.split(" ").slice(0, -1).join(" ") : line;
}

/** Both sides of a section, sorted, where the wanted one says 303 without TTLs. */
export function sides(got: readonly ResourceRecord[] = [], wanted: readonly string[]): readonly [readonly string[], readonly string[]] {
  const parsed = wanted.map(record);
  const free = parsed.some(({ ttl }) => ttl === 303);
  return [got.map((one) => comparable(one, free)).sort(), parsed.map((one) => comparable(one, free)).sort()];
}

/** What a query says beside its name and type. */
export function flagsOf(one: Partial<Case>): Partial<Message> {
  return {
    checkingDisabled: one.checkingdisabled === true,
    ...(one.do === true ? { edns: { version: 0, udpSize: 4096, dnssecOk: true, options: [] } } : {}),
  };
}

/** A backend that always says the same. */
export const saying =
  (parts: Partial<Message>): Backend =>
  ({ message }) =>
    reply("backend", createReply(message, parts));

export const questionOf = (name: string, type: string, zoneClass: string = "INET"): Message["questions"] => [
  { name, type: typeCode(type) ?? 0, class: classOf(zoneClass) },
];

/** Go's names of the classes: `INET`, `CHAOS`. */
export const classOf = (name: string): number => ({ INET: classes.IN, CHAOS: 3, HESIOD: 4 })[name] ?? 0;

/** Milliseconds of a Go duration of one unit: `70s`, `2m`, `1h`. */
export const milliseconds = (text: string): number =>
  Number.parseFloat(text) * ({ s: 1000, m: 60_000, h: 3_600_000 }[text.at(-1) ?? ""] ?? 1);
