/** Hands zones over (RFC 5936). IXFR is answered with the SOA alone when the client is up to date, with what changed where that is known and less, else with the whole zone (RFC 1995 4). */
import { isWithin } from "../../../decide/dns/name.ts";
import { isNewer } from "../../../decide/dns/zone/serial.ts";
import { incrementalRecords, type ZoneChange } from "../../../decide/dns/zone/zone-changes.ts";
import { rcodes, recordTypes, type ResourceRecord } from "../../../decide/dns/records.ts";
import type { Logger } from "../../../lib/log.ts";
import { failure, reply, type DnsRequest, type Handler, type Outcome, type ZoneSource } from "../../plugin.ts";
import { encode } from "../../wire/encode.ts";
import { createReply, type Message } from "../../wire/message.ts";

export interface TransferRule {
  readonly zones: readonly string[];
  /** `*`: everybody. */
  readonly to: readonly ("*" | { readonly host: string; readonly port: number })[];
  /** The address that notifications come from. */
  readonly source: string | undefined;
}

export type Sources = () => readonly { readonly plugin: string; readonly zones: ZoneSource }[];

/** Bytes of records in one message: the rest is room for header and question. */
const batchBytes = 60_000;

export function transferHandler(rules: readonly TransferRule[], sources: Sources, log: Logger): Handler {
  return {
    name: "transfer",
    serveDNS(request, next) {
      const { question, client } = request;
      if (question.type !== recordTypes.AXFR && question.type !== recordTypes.IXFR) return next(request);
      if (client.protocol !== "tcp") return failure(rcodes.REFUSED);
      const rule = ruleFor(rules, request.name);
      if (rule === undefined) return next(request);
      if (!rule.to.some((to) => to === "*" || to.host === client.address.replace(/^::ffff:/i, "")))
        return reply("transfer", createReply(request.message, { rcode: rcodes.REFUSED }));
      const found = sources().flatMap(({ plugin, zones }) => {
        const records = zones.origins().includes(request.name) ? zones.records(request.name) : undefined;
        return records === undefined ? [] : [{ plugin, records, changes: (serial: number) => zones.changes?.(request.name, serial) }];
      })[0];
      return found === undefined ? next(request) : handOver(request, found, log);
    },
  };
}

/** The rule with the longest zone that holds the name. */
export function ruleFor(rules: readonly TransferRule[], name: string): TransferRule | undefined {
  const matching = rules.flatMap((rule) => rule.zones.filter((zone) => isWithin(zone, name)).map((zone) => ({ rule, zone })));
  return matching.sort((a, b) => b.zone.length - a.zone.length)[0]?.rule;
}

interface Found {
  readonly plugin: string;
  readonly records: readonly ResourceRecord[];
  readonly changes: (serial: number) => readonly ZoneChange[] | undefined;
}

function handOver(request: DnsRequest, { plugin, records, changes }: Found, log: Logger): Outcome {
  const { message, question } = request;
  const soa = records[0];
  if (soa?.data.kind !== "soa") return failure(rcodes.SERVFAIL, new Error(`zone ${request.name} has no SOA record yet`));
  const known = message.authorities[0]?.data;
  let sent: readonly ResourceRecord[] = [...records, soa];
  if (question.type === recordTypes.IXFR) {
    if (known?.kind !== "soa") return failure(rcodes.FORMERR);
    if (!isNewer(soa.data.serial, known.serial)) return reply("transfer", createReply(message, { authoritative: true, answers: [soa] }));
    const steps = changes(known.serial);
    const incremental = steps === undefined ? undefined : incrementalRecords(steps);
    if (incremental !== undefined && incremental.length < sent.length) sent = incremental;
  }
  const messages = batches(sent).map((answers) => createReply(message, { authoritative: true, answers }));
  log.info(`outgoing transfer of ${sent.length} records of zone ${request.name} to ${request.client.address}`, {
    serial: soa.data.serial,
    plugin,
  });
  return { kind: "transfer", messages, plugin: "transfer" };
}

function batches(records: readonly ResourceRecord[]): readonly (readonly ResourceRecord[])[] {
  const found: ResourceRecord[][] = [[]];
  let bytes = 0;
  for (const record of records) {
    const size = sizeOf(record);
    if (bytes + size > batchBytes) {
      found.push([]);
      bytes = 0;
    }
    found.at(-1)?.push(record);
    bytes += size;
  }
  return found;
}

const empty = { questions: [], authorities: [], additionals: [] } as const;
const header = {
  id: 0,
  response: true,
  opcode: 0,
  authoritative: true,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  authenticData: false,
  checkingDisabled: false,
  rcode: 0,
} as const;

/** Uncompressed: at least what it takes. */
const sizeOf = (record: ResourceRecord): number => encode({ ...header, ...empty, answers: [record] } satisfies Message).length;
