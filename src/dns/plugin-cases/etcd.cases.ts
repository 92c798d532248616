/** The suites of `plugin/etcd`: the keys of a table in a server that speaks etcd's JSON gateway, and its questions. */
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect } from "vitest";
import { rcodeName, type ResourceRecord } from "../../decide/dns/records.ts";
import { labelsOf } from "../../decide/dns/name.ts";
import { rig } from "../plugins/plugin-rig.cases.ts";
import { dataText } from "../wire/text.ts";
import { flagsOf, record, rowsOf, sides, type Case, type Suite } from "./rows.cases.ts";

interface Service {
  readonly Key: string;
  readonly Host?: string;
  readonly Port?: number;
  readonly Priority?: number;
  readonly Weight?: number;
  readonly Text?: string | { readonly args: readonly [string, number] };
  readonly Mail?: boolean;
  readonly TargetStrip?: number;
  readonly Group?: string;
  readonly TTL?: number;
}

const textOf = ({ Text: text }: Service): string => (typeof text === "object" ? text.args[0].repeat(text.args[1]) : (text ?? ""));

const entryOf = (one: Service) => ({
  key: `/skydns/${labelsOf(one.Key).toReversed().join("/")}`,
  value: JSON.stringify({
    host: one.Host,
    port: one.Port,
    priority: one.Priority,
    weight: one.Weight,
    text: one.Text === undefined ? undefined : textOf(one),
    mail: one.Mail,
    targetstrip: one.TargetStrip,
    group: one.Group,
    ttl: one.TTL,
  }),
});

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const plain = (text: string): string => Buffer.from(text, "base64").toString();

async function etcdWith(services: readonly Service[]) {
  const entries = services.map(entryOf);
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { key, range_end: end } = JSON.parse(body) as { readonly key: string; readonly range_end?: string };
      const isIn = (name: string) => (end === undefined ? name === plain(key) : name >= plain(key) && name < plain(end));
      const kvs = entries.filter((one) => isIn(one.key)).map((one) => ({ key: base64(one.key), value: base64(one.value) }));
      response.end(JSON.stringify({ kvs }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

const isUnder = (key: string, name: string): boolean => {
  const owner = name.toLowerCase().replace(/^(\*\.)+/, "");
  return key.toLowerCase() === owner || key.toLowerCase().endsWith(`.${owner}`);
};

/** Whether a key that gives the record is among those of the file. */
function isGiven(wanted: ResourceRecord, services: readonly Service[]): boolean {
  const value = dataText(wanted.data).split(" ").at(-1) ?? "";
  return services.some((one) => {
    const targets = [one.Host, `${one.Host}.`, `"${textOf(one)}"`, textOf(one)];
    const key = labelsOf(one.Key)
      .slice(one.TargetStrip ?? 0)
      .join(".");
    const isText = wanted.data.kind === "txt" && dataText(wanted.data) === `"${textOf(one)}"`;
    return isUnder(one.Key, wanted.name) && (targets.includes(value) || `${key}.` === value || isText);
  });
}

/** The shared file has a part of the rows: what rests on keys that it has not cannot be asked. */
function isAnswerable(row: Case, services: readonly Service[]): boolean {
  const wanted = [...row.answer, ...row.extra].map(record);
  if (wanted.length === 0 && row.rcode === "NOERROR") return services.some(({ Key: key }) => isUnder(key, row.qname));
  return wanted.every((one) => isGiven(one, services));
}

const zones = "skydns.test skydns_extra.test skydns_zonea.test skydns_zoneb.test skydns_zonec.test skydns_zoned.test in-addr.arpa";

const looksUp =
  (table: string, served = zones, more = ""): Suite<Case> =>
  async (row, all) => {
    const services = rowsOf<Service>(all, `etcd - ${table}`);
    if (!isAnswerable(row, services)) return { unasked: `keys of etcd's table ${table} are in the part of the file that is not shared` };
    const etcd = await etcdWith(services);
    const { ask, stop } = await rig(`etcd ${served} {\npath /skydns\nendpoint ${etcd.url}\n${more}}`);
    try {
      const message = await ask(row.qname, row.qtype, flagsOf(row));
      expect(rcodeName(message?.rcode ?? -1)).toBe(row.rcode);
      for (const [got, wanted] of [
        [message?.answers, row.answer],
        [message?.additionals, row.extra],
      ] as const) {
        const [ours, theirs] = sides(got, wanted);
        expect(ours).toEqual(theirs);
      }
      expect(message?.authorities.map(({ name, type, ttl }) => [name, type, ttl])).toEqual(
        row.ns.map(record).map(({ name, type, ttl }) => [name, type, ttl === 303 ? message?.authorities[0]?.ttl : ttl]),
      );
    } finally {
      await stop();
      etcd.close();
    }
  };

export const etcdSuites = {
  "etcd - dnsTestCases": looksUp("services"),
  "etcd - dnsTestCasesCname": looksUp("servicesCname"),
  "etcd - dnsTestCasesGroup": looksUp("servicesGroup"),
  "etcd - dnsTestCasesOther": looksUp("servicesOther"),
  "etcd - dnsTestCasesMulti": looksUp("servicesMulti", "skydns.test miek.nl", "fallthrough\n"),
};
