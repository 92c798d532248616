/** Changes to an answer on its way back: names, values, TTLs, the code. */
import { foldName, isWithin } from "../../../decide/dns/name.ts";
import type { RecordData, ResourceRecord } from "../../../decide/dns/records.ts";
import { mapRecords } from "../../plugin.ts";
import type { Message } from "../../wire/message.ts";
import type { Renaming } from "./match.ts";

export type ResponseChange = (message: Message) => Message;

const eachRecord =
  (change: (record: ResourceRecord) => ResourceRecord): ResponseChange =>
  (message) =>
    mapRecords(message, (records) => records.map(change));

export const changeOwners = (rename: Renaming): ResponseChange =>
  eachRecord((record) => {
    const name = rename(foldName(record.name));
    return name === undefined ? record : { ...record, name };
  });

export const changeValues = (rename: Renaming): ResponseChange =>
  eachRecord((record) => ({ ...record, data: changeValue(record.data, rename) }));

function changeValue(data: RecordData, rename: Renaming): RecordData {
  const renamed = (name: string) => rename(foldName(name)) ?? name;
  switch (data.kind) {
    case "name":
      return { ...data, target: renamed(data.target) };
    case "srv":
      return { ...data, target: renamed(data.target) };
    case "mx":
      return { ...data, exchange: renamed(data.exchange) };
    case "soa":
      return { ...data, mname: renamed(data.mname) };
    case "naptr":
      return { ...data, replacement: renamed(data.replacement) };
    default:
      return data;
  }
}

/** Seconds. */
export const changeTtls = (least: number, most: number): ResponseChange =>
  eachRecord((record) => ({ ...record, ttl: Math.min(Math.max(record.ttl, least), most) }));

export const changeCode =
  (from: number, to: number): ResponseChange =>
  (message) =>
    message.rcode === from ? { ...message, rcode: to } : message;

/** The name that was rewritten, and names below it, back to what was asked. */
export function backTo(rewritten: string, asked: string): Renaming {
  const folded = foldName(rewritten);
  return (name) => (isWithin(folded, name) && folded !== "." ? name.slice(0, name.length - folded.length) + asked : undefined);
}
