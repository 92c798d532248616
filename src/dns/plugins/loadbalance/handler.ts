import { foldName } from "../../../decide/dns/name.ts";
import { recordTypes, type ResourceRecord } from "../../../decide/dns/records.ts";
import { cidrContains, parseIp, type Cidr } from "../../../lib/ip.ts";
import { after, mapRecords, type Handler } from "../../plugin.ts";
import type { Weights } from "./weights.ts";

const isAddress = ({ type }: ResourceRecord): boolean => type === recordTypes.A || type === recordTypes.AAAA;
const isExchange = ({ type }: ResourceRecord): boolean => type === recordTypes.MX;
const isAlias = ({ type }: ResourceRecord): boolean => type === recordTypes.CNAME;

/** The records that may change places, in another order. */
export type Ordering = (records: readonly ResourceRecord[]) => readonly ResourceRecord[];

/** Addresses and mail exchangers in another order each time; aliases stay in front of what they lead to. */
export function loadbalanceHandler(order: Ordering, repeatable: boolean): Handler {
  const arrange = (records: readonly ResourceRecord[]): readonly ResourceRecord[] => {
    if (records.length < 2) return records;
    const rest = records.filter((record) => !isAlias(record) && !isAddress(record) && !isExchange(record));
    return [...records.filter(isAlias), ...rest, ...order(records.filter(isAddress)), ...order(records.filter(isExchange))];
  };
  return {
    name: "loadbalance",
    // The server itself changes the order of an answer that it sends again.
    repeatable,
    serveDNS: (request, next) =>
      after(next(request), (outcome) => {
        if (outcome.kind !== "reply" || request.question.type === recordTypes.AXFR) return outcome;
        return { ...outcome, message: mapRecords(outcome.message, arrange) };
      }),
  };
}

export function shuffling(random: () => number): Ordering {
  return (records) => {
    const moving = [...records];
    for (let i = moving.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [moving[i], moving[j]] = [moving[j] as ResourceRecord, moving[i] as ResourceRecord];
    }
    return moving;
  };
}

/** Addresses of these blocks come first, the blocks in their order. */
export function preferring(blocks: readonly Cidr[], shuffle: Ordering): Ordering {
  const rank = ({ data }: ResourceRecord): number => {
    const ip = data.kind === "address" ? parseIp(data.address) : undefined;
    const at = ip === undefined ? -1 : blocks.findIndex((block) => cidrContains(block, ip));
    return at < 0 ? blocks.length : at;
  };
  return (records) => [...shuffle(records)].sort((a, b) => rank(a) - rank(b));
}

/** One address by its weight comes first; addresses without a weight weigh one. */
export function weighting(weights: () => Weights, random: () => number): Ordering {
  return (records) => {
    const known = records[0] === undefined ? undefined : weights().get(foldName(records[0].name));
    if (known === undefined) return shuffling(random)(records);
    const weightOf = ({ data }: ResourceRecord): number => (data.kind === "address" ? (known.get(data.address) ?? 1) : 1);
    let at = random() * records.reduce((sum, record) => sum + weightOf(record), 0);
    const first = records.find((record) => (at -= weightOf(record)) < 0) ?? records[0];
    return records.toSorted((a, b) => Number(b === first) - Number(a === first));
  };
}
