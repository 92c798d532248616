/** Fetches a zone (RFC 5936 2.2): all records between two equal SOA records. */
import { foldName } from "../../../decide/dns/name.ts";
import { rcodeName, rcodes, recordTypes, type ResourceRecord } from "../../../decide/dns/records.ts";
import { exchangeUdp, isAnswerTo, messagesTcp, type ExchangeTarget } from "../../client/exchange.ts";
import { createQuery } from "../../wire/message.ts";

const maxRecords = 1_000_000;

/** Rejects with what went wrong. `id`: random. */
export async function transferIn(origin: string, target: ExchangeTarget, id: number): Promise<readonly ResourceRecord[]> {
  const query = createQuery(origin, recordTypes.AXFR, { id, recursionDesired: false });
  const records: ResourceRecord[] = [];
  for await (const message of messagesTcp(query, target)) {
    // Only the first message must repeat the question.
    if (
      message.id !== id ||
      !message.response ||
      (records.length === 0 && !isAnswerTo(query, { ...message, questions: query.questions }))
    ) {
      throw new Error(`${target.host} answered another question`);
    }
    if (message.rcode !== rcodes.NOERROR) throw new Error(`${target.host} does not hand over ${origin}: ${rcodeName(message.rcode)}`);
    if (message.answers.length === 0) throw new Error(`${target.host} sent an empty message`);
    records.push(...message.answers);
    if (records[0]?.type !== recordTypes.SOA || foldName(records[0].name) !== origin)
      throw new Error(`what ${target.host} sent does not begin with the SOA record of ${origin}`);
    if (records.length > maxRecords) throw new Error(`zone ${origin} has more than ${maxRecords} records`);
    const last = records.at(-1);
    if (records.length > 1 && last?.type === recordTypes.SOA) return records.slice(0, -1);
  }
  throw new Error(`${target.host} ended the transfer before its end`);
}

/** Asks for the SOA record. */
export async function serialAt(origin: string, target: ExchangeTarget, id: number): Promise<number> {
  const answer = await exchangeUdp(createQuery(origin, recordTypes.SOA, { id, recursionDesired: false }), target);
  const soa = answer.answers.find(({ type }) => type === recordTypes.SOA)?.data;
  if (soa?.kind !== "soa") throw new Error(`${target.host} has no SOA record of ${origin}: ${rcodeName(answer.rcode)}`);
  return soa.serial;
}
