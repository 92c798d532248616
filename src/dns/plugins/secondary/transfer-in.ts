/** Fetches a zone (RFC 5936 2.2): all records between two equal SOA records. */
import { foldName } from "../../../decide/dns/name.ts";
import { rcodeName, rcodes, recordTypes, type ResourceRecord } from "../../../decide/dns/records.ts";
import { exchangeUdp, isAnswerTo, messagesTcp, type ExchangeTarget } from "../../client/exchange.ts";
import { applyIncremental, IncrementalReader, soaSerial } from "../../../decide/dns/zone/zone-changes.ts";
import { createQuery, type Message } from "../../wire/message.ts";

const maxRecords = 1_000_000;

/**
 * The newest version of the zone, the SOA record first. With the version that is `here` only what changed is asked for; undefined when
 * it is the newest. Rejects with what went wrong. `id`: random.
 */
export async function transferIn(
  origin: string,
  target: ExchangeTarget,
  id: number,
  here?: readonly ResourceRecord[],
): Promise<readonly ResourceRecord[] | undefined> {
  const soa = here?.[0];
  const query = createQuery(origin, here === undefined ? recordTypes.AXFR : recordTypes.IXFR, {
    id,
    recursionDesired: false,
    ...(soa === undefined ? {} : { authorities: [soa] }),
  });
  const reader = new IncrementalReader();
  for await (const message of messagesTcp(query, target)) {
    check(message, query, reader.records.length === 0, target.host);
    for (const record of message.answers) reader.add(record);
    const [first] = reader.records;
    if (first?.type !== recordTypes.SOA || foldName(first.name) !== origin)
      throw new Error(`what ${target.host} sent does not begin with the SOA record of ${origin}`);
    if (reader.records.length > maxRecords) throw new Error(`zone ${origin} has more than ${maxRecords} records`);
    if (soa !== undefined) reader.endOfMessage(soaSerial(soa));
    if (reader.done) return result(reader, here, origin);
  }
  throw new Error(`${target.host} ended the transfer before its end`);
}

function check(message: Message, query: Message, first: boolean, host: string): void {
  const origin = query.questions[0]?.name;
  // Only the first message must repeat the question.
  if (message.id !== query.id || !message.response || (first && !isAnswerTo(query, { ...message, questions: query.questions })))
    throw new Error(`${host} answered another question`);
  if (message.rcode !== rcodes.NOERROR) throw new Error(`${host} does not hand over ${origin}: ${rcodeName(message.rcode)}`);
  if (message.answers.length === 0) throw new Error(`${host} sent an empty message`);
}

function result(
  { kind, records }: IncrementalReader,
  here: readonly ResourceRecord[] | undefined,
  origin: string,
): readonly ResourceRecord[] | undefined {
  if (kind === "current") return undefined;
  if (kind === "whole" || here === undefined) return records.slice(0, -1);
  const applied = applyIncremental(here, records);
  if (applied.kind === "error") throw new Error(`the changes of zone ${origin} do not fit what is here: ${applied.reason}`);
  return applied.records;
}

/** Asks for the SOA record. */
export async function serialAt(origin: string, target: ExchangeTarget, id: number): Promise<number> {
  const answer = await exchangeUdp(createQuery(origin, recordTypes.SOA, { id, recursionDesired: false }), target);
  const soa = answer.answers.find(({ type }) => type === recordTypes.SOA)?.data;
  if (soa?.kind !== "soa") throw new Error(`${target.host} has no SOA record of ${origin}: ${rcodeName(answer.rcode)}`);
  return soa.serial;
}
