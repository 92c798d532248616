/** What an answer is to a cache, and for how long it may be kept (RFC 2308; CoreDNS `plugin/pkg/response`, `plugin/cache`). */
import { foldName } from "../../../decide/dns/name.ts";
import { rcodes, recordTypes, type ResourceRecord } from "../../../decide/dns/records.ts";
import { mapRecords } from "../../plugin.ts";
import type { Message, Question } from "../../wire/message.ts";

/** `never`: errors, answers cut short, answers that neither answer nor deny. */
export type CacheClass = "success" | "denial" | "servfail" | "never";

/** `now`: ms since 1970; an answer whose signatures do not hold then is not kept. */
export function classify(message: Message, now: number): CacheClass {
  const [question] = message.questions;
  if (sections.some((section) => message[section].some((record) => !isInForce(record, now / 1000)))) return "never";
  if (question === undefined || message.truncated || question.type === recordTypes.AXFR || question.type === recordTypes.IXFR)
    return "never";
  const denies = message.authorities.some(({ type }) => type === recordTypes.SOA);
  switch (message.rcode) {
    case rcodes.SERVFAIL:
    case rcodes.NOTIMP:
      return "servfail";
    case rcodes.NXDOMAIN:
      return denies ? "denial" : "never";
    case rcodes.NOERROR:
      if (message.answers.length === 0) return denies ? "denial" : "success";
      if (answersQuestion(message.answers, question)) return "success";
      // Aliases that end without a record of the type: no data if the SOA says so, else nothing that may be kept.
      return denies ? "denial" : "never";
    default:
      return "never";
  }
}

const sections = ["answers", "authorities", "additionals"] as const;

/** A signature within its time, in serial arithmetic (RFC 4034 3.1.5); any other record is. */
function isInForce({ type, data }: ResourceRecord, seconds: number): boolean {
  if (type !== recordTypes.RRSIG || data.kind !== "opaque" || data.bytes.length < 16) return true;
  const times = new DataView(data.bytes.buffer, data.bytes.byteOffset);
  const until = (times.getUint32(8) - Math.floor(seconds)) | 0;
  const since = (Math.floor(seconds) - times.getUint32(12)) | 0;
  return until >= 0 && since >= 0;
}

const signatureTypes: readonly number[] = [recordTypes.RRSIG, recordTypes.NSEC, recordTypes.NSEC3];

/** Without the records that only a client that sets DO gets, unless it asked for them by their type (RFC 4035 3.2.1). */
export function withoutSignatures(message: Message): Message {
  const type = message.questions[0]?.type ?? 0;
  const isExtra = (record: ResourceRecord) => signatureTypes.includes(record.type) && record.type !== type;
  if (type === recordTypes.ANY || !sections.some((section) => message[section].some(isExtra))) return message;
  return mapRecords(message, (records) => records.filter((record) => !isExtra(record)));
}

/** Whether it echoes the question: an answer to another one is a fault or a forgery (RFC 5452 9.1). */
export function isTo({ questions: [echoed] }: Message, question: Question): boolean {
  return echoed?.type === question.type && echoed.class === question.class && foldName(echoed.name) === foldName(question.name);
}

/** Whether a record of the type stands where the aliases from the question's name lead. */
export function answersQuestion(answers: readonly ResourceRecord[], { name, type }: Question): boolean {
  if (type === recordTypes.ANY) return answers.some((record) => foldName(record.name) === foldName(name));
  const owner = type === recordTypes.CNAME ? foldName(name) : canonicalName(answers, foldName(name));
  if (owner === undefined) return false;
  if (type === recordTypes.CNAME && aliasOf(answers, owner) === "ambiguous") return false;
  return answers.some((record) => record.type === type && foldName(record.name) === owner);
}

/** Undefined when the aliases go in a circle, or a name has two. */
function canonicalName(answers: readonly ResourceRecord[], name: string): string | undefined {
  const seen = new Set<string>();
  for (let owner = name; !seen.has(owner);) {
    seen.add(owner);
    const alias = aliasOf(answers, owner);
    if (alias === "none") return owner;
    if (alias === "ambiguous") return undefined;
    owner = alias.target;
  }
  return undefined;
}

function aliasOf(answers: readonly ResourceRecord[], owner: string): { readonly target: string } | "none" | "ambiguous" {
  const targets = new Set<string>();
  for (const { type, name, data } of answers) {
    if (type === recordTypes.CNAME && data.kind === "name" && foldName(name) === owner) targets.add(foldName(data.target));
  }
  const [target] = targets;
  return target === undefined ? "none" : targets.size > 1 ? "ambiguous" : { target };
}

/** Seconds: the least of all records; five when there is none, as CoreDNS. */
export function leastTtl({ answers, authorities, additionals }: Message, most: number): number {
  const all = [...answers, ...authorities, ...additionals];
  return all.length === 0 ? 5 : all.reduce((least, { ttl }) => Math.min(least, ttl), most);
}
