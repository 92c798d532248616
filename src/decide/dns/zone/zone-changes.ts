/** What makes one version of a zone another, and the form in which that travels (IXFR, RFC 1995 4). Pure. */
import { foldName } from "../name.ts";
import { recordTypes, type ResourceRecord } from "../records.ts";

export interface ZoneChange {
  /** SOA records of both versions. */
  readonly before: ResourceRecord;
  readonly after: ResourceRecord;
  /** Without SOA records. */
  readonly removed: readonly ResourceRecord[];
  readonly added: readonly ResourceRecord[];
}

interface Version {
  readonly soa: ResourceRecord;
  readonly records: readonly ResourceRecord[];
}

export const soaSerial = ({ data }: ResourceRecord): number => (data.kind === "soa" ? data.serial : 0);

export function zoneChange(before: Version, after: Version): ZoneChange {
  const [old, now] = [byText(before.records), byText(after.records)];
  return {
    before: before.soa,
    after: after.soa,
    removed: [...old].flatMap(([text, record]) => (now.has(text) ? [] : [record])),
    added: [...now].flatMap(([text, record]) => (old.has(text) ? [] : [record])),
  };
}

function byText(records: readonly ResourceRecord[]): Map<string, ResourceRecord> {
  return new Map(records.filter(({ type }) => type !== recordTypes.SOA).map((record) => [textOf(record), record]));
}

const textOf = ({ name, type, class: recordClass, ttl, data }: ResourceRecord): string =>
  `${foldName(name)} ${type} ${recordClass} ${ttl} ${JSON.stringify(data)}`;

/** The changes that lead from a version to the newest; undefined when they are not known. `changes`: in their order. */
export function changesSince(changes: readonly ZoneChange[], serial: number): readonly ZoneChange[] | undefined {
  const from = changes.findIndex(({ before }) => soaSerial(before) === serial);
  return from < 0 ? undefined : changes.slice(from);
}

/** The records of an incremental answer: the newest SOA record around what each change took and gave. */
export function incrementalRecords(changes: readonly ZoneChange[]): readonly ResourceRecord[] {
  const newest = changes.at(-1)?.after;
  if (newest === undefined) return [];
  return [newest, ...changes.flatMap(({ before, removed, after, added }) => [before, ...removed, after, ...added]), newest];
}

export type IncrementalResult =
  /** The zone's records, the SOA record first. */
  { readonly kind: "zone"; readonly records: readonly ResourceRecord[] } | { readonly kind: "error"; readonly reason: string };

/** The version that an incremental answer makes of the one that is here. `zone`, `answer`: the SOA record first. */
export function applyIncremental(zone: readonly ResourceRecord[], answer: readonly ResourceRecord[]): IncrementalResult {
  const wrong = (reason: string): IncrementalResult => ({ kind: "error", reason });
  const [have, newest] = [zone[0], answer[0]];
  if (have === undefined || newest === undefined) return wrong("there is nothing to change");
  const records = byText(zone);
  let [serial, adding] = [soaSerial(have), true];
  for (const record of answer.slice(1, -1)) {
    if (record.type === recordTypes.SOA) {
      adding = !adding;
      if (!adding && soaSerial(record) !== serial) return wrong(`a change of version ${soaSerial(record)}, where ${serial} is here`);
      serial = soaSerial(record);
    } else if (adding) records.set(textOf(record), record);
    else if (!records.delete(textOf(record))) return wrong(`a record to be removed is not here: ${record.name} ${record.type}`);
  }
  if (!adding || serial !== soaSerial(newest)) return wrong("the changes do not lead to the newest version");
  return { kind: "zone", records: [newest, ...records.values()] };
}

/** How far an answer to IXFR is, as its records come: whole or incremental, and whether all of it is there. */
export class IncrementalReader {
  readonly records: ResourceRecord[] = [];
  #kind: "unknown" | "current" | "whole" | "incremental" = "unknown";
  /** Of an incremental answer: what follows was added. */
  #adding = true;
  #done = false;

  get kind(): "unknown" | "current" | "whole" | "incremental" {
    return this.#kind;
  }

  get done(): boolean {
    return this.#done;
  }

  add(record: ResourceRecord): void {
    this.records.push(record);
    const [newest] = this.records;
    if (this.records.length === 1 || newest === undefined) return;
    const isSoa = record.type === recordTypes.SOA;
    if (this.records.length === 2) this.#kind = isSoa && soaSerial(record) !== soaSerial(newest) ? "incremental" : "whole";
    if (!isSoa) return;
    if (this.#kind === "whole") this.#done = true;
    else if (this.#adding && soaSerial(record) === soaSerial(newest)) this.#done = true;
    else this.#adding = !this.#adding;
  }

  /** A message that holds the SOA record that is `here` and nothing else: whoever asks is up to date. */
  endOfMessage(here: number): void {
    const [only] = this.records;
    if (this.records.length !== 1 || only === undefined || soaSerial(only) !== here) return;
    this.#kind = "current";
    this.#done = true;
  }
}
