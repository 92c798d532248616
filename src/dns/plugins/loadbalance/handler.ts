import { recordTypes, type ResourceRecord } from "../../../decide/dns/records.ts";
import { after, mapRecords, type Handler } from "../../plugin.ts";

const balanced: ReadonlySet<number> = new Set([recordTypes.A, recordTypes.AAAA, recordTypes.MX]);

/** Addresses and mail exchangers in another order each time; aliases stay in front of what they lead to. */
export function loadbalanceHandler(random: () => number): Handler {
  const shuffle = (records: readonly ResourceRecord[]): readonly ResourceRecord[] => {
    if (records.length < 2) return records;
    const aliases = records.filter(({ type }) => type === recordTypes.CNAME);
    const moving = records.filter(({ type }) => balanced.has(type));
    const rest = records.filter(({ type }) => type !== recordTypes.CNAME && !balanced.has(type));
    for (let i = moving.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [moving[i], moving[j]] = [moving[j] as ResourceRecord, moving[i] as ResourceRecord];
    }
    return [...aliases, ...rest, ...moving];
  };
  return {
    name: "loadbalance",
    serveDNS: (request, next) =>
      after(next(request), (outcome) =>
        outcome.kind === "reply" ? { ...outcome, message: mapRecords(outcome.message, shuffle) } : outcome,
      ),
  };
}
