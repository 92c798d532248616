import { addressOfReverse } from "../../../decide/dns/reverse.ts";
import { absolute, foldName, isWithin, matchZone } from "../../../decide/dns/name.ts";
import { addressRecord, nameRecord, rcodes, recordTypes, type ResourceRecord } from "../../../decide/dns/records.ts";
import { formatIp, parseIp } from "../../../lib/ip.ts";
import { besideFile } from "../../corefile/sources.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { failure, reply, type BlockContext, type DnsRequest, type Handler, type Next, type PluginEntry } from "../../plugin.ts";
import { createReply } from "../../wire/message.ts";

/** Names and addresses in the form of /etc/hosts. */
class HostsTable {
  readonly #addresses = new Map<string, string[]>();
  readonly #names = new Map<string, string[]>();

  add(line: string): void {
    const [address = "", ...names] = line.replace(/#.*$/, "").trim().split(/\s+/);
    const ip = parseIp(address.split("%")[0] as string);
    if (ip === undefined) return;
    const text = formatIp(ip);
    for (const name of names.map((one) => foldName(absolute(one)))) {
      this.#addresses.set(name, [...(this.#addresses.get(name) ?? []), text]);
      this.#names.set(text, [...(this.#names.get(text) ?? []), name]);
    }
  }

  has(name: string): boolean {
    return this.#addresses.has(name);
  }

  addresses(name: string): readonly string[] {
    return this.#addresses.get(name) ?? [];
  }

  names(address: string): readonly string[] {
    return this.#names.get(address) ?? [];
  }
}

export const hosts: PluginEntry = { name: "hosts", setup };

function setup(reader: TokenReader, { zones, environment, configuration }: BlockContext) {
  reader.next();
  const args = reader.args();
  const isFile = args[0] !== undefined && args[0].includes("/");
  const named = zonesOrBlock(isFile ? args.slice(1) : args, zones);
  const table = new HostsTable();
  let ttl = 3600;
  let fallthrough: readonly string[] | undefined;
  while (reader.nextInBlock()) {
    if (reader.value === "fallthrough") fallthrough = zonesOrBlock(reader.args(), ["."]);
    else if (reader.value === "ttl") {
      const [text = ""] = reader.exactly(1);
      if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > 65_535) throw reader.error(`ttl provided is invalid: '${text}'`);
      ttl = Number(text);
    } else if (reader.value === "no_reverse" || reader.value === "reload")
      throw reader.error(`property '${reader.value}' of hosts is not supported here`);
    else if (parseIp(reader.value) !== undefined) table.add([reader.value, ...reader.args()].join(" "));
    else throw reader.error(`unknown property '${reader.value}'`);
  }
  if (isFile) {
    const path = besideFile(configuration.file, args[0] as string);
    try {
      for (const line of environment.sources.readFile(path).split("\n")) table.add(line);
    } catch (error) {
      environment.log.warn(`hosts: ${path} cannot be read`, { error });
    }
  }
  return { handlers: [handler(table, named, ttl, fallthrough)] };
}

function handler(table: HostsTable, zones: readonly string[], ttl: number, fallthrough: readonly string[] | undefined): Handler {
  function serveDNS(request: DnsRequest, next: Next) {
    const { question, name, message } = request;
    if (matchZone(zones, name) === undefined && question.type !== recordTypes.PTR) return next(request);
    const records = find(name, question.name, question.type);
    if (records.length > 0) return reply("hosts", createReply(message, { authoritative: true, answers: records }));
    if (fallthrough?.some((zone) => isWithin(zone, name)) === true) return next(request);
    if (table.has(name)) return reply("hosts", createReply(message, { authoritative: true }));
    return question.type === recordTypes.PTR ? next(request) : failure(rcodes.NXDOMAIN);
  }

  function find(name: string, asked: string, type: number): readonly ResourceRecord[] {
    if (type === recordTypes.PTR) {
      const address = addressOfReverse(name);
      return address === undefined ? [] : table.names(address).map((target) => nameRecord(asked, type, ttl, target));
    }
    return table
      .addresses(name)
      .map((address) => addressRecord(asked, ttl, address))
      .filter((record) => record.type === type);
  }

  return { name: "hosts", serveDNS };
}
