import { isWithin } from "../../../decide/dns/name.ts";
import { addressRecord, classes, nameRecord, rcodes, recordTypes as T, type ResourceRecord } from "../../../decide/dns/records.ts";
import { reply, type DnsRequest, type Handler, type PluginEntry } from "../../plugin.ts";
import { createReply, type Message } from "../../wire/message.ts";

const ttl = 604_800;
const zones: readonly string[] = ["localhost.", "0.in-addr.arpa.", "127.in-addr.arpa.", "255.in-addr.arpa."];
const loopback = "1.0.0.127.in-addr.arpa.";

export const local: PluginEntry = {
  name: "local",
  setup(reader, { environment }) {
    reader.next();
    if (reader.args().length > 0) throw reader.argumentError();
    let prefix = true;
    while (reader.nextInBlock()) {
      if (reader.value !== "localhost_prefix") throw reader.error(`unknown property '${reader.value}'; expected localhost_prefix`);
      const [word = ""] = reader.exactly(1);
      if (word !== "on" && word !== "off") throw reader.error(`invalid localhost_prefix value '${word}'; expected on or off`);
      prefix = word === "on";
    }
    const count = environment.metrics.counter("coredns_local_localhost_requests_total", "Counter of localhost.<domain> requests.").labels();
    return { handlers: [handler(prefix, () => count.inc())] };
  },
};

/** RFC 6303 4.1, RFC 6761 6.3: names of this machine never leave it. */
function handler(prefix: boolean, count: () => void): Handler {
  return {
    name: "local",
    serveDNS(request, next) {
      const { name, message } = request;
      const parts = partsFor(request, prefix, count);
      if (parts !== undefined) return reply("local", createReply(message, parts));
      return zones.some((zone) => isWithin(zone, name)) ? reply("local", createReply(message, inZone(request))) : next(request);
    },
  };
}

/** `a.localhost.`, and `localhost.example.org.`, which a search path makes of `localhost`. */
function partsFor({ name, question }: DnsRequest, prefix: boolean, count: () => void): Partial<Message> | undefined {
  const below = name.length > "localhost.".length;
  if (!below || !(name.endsWith(".localhost.") || (prefix && name.startsWith("localhost.")))) return undefined;
  count();
  return addresses(question.name, question.type) ?? { authorities: [soa(question.name)] };
}

function inZone({ name, question }: DnsRequest): Partial<Message> {
  const { name: asked, type } = question;
  const origin = zones.find((zone) => isWithin(zone, name)) ?? name;
  if (name === loopback) {
    return type === T.PTR
      ? { answers: [nameRecord(asked, T.PTR, ttl, "localhost.")] }
      : { authorities: [soa(asked.slice(-origin.length))] };
  }
  if (name !== origin) return { rcode: rcodes.NXDOMAIN, authorities: [soa(asked.slice(-origin.length))] };
  if (type === T.SOA) return { answers: [soa(asked)] };
  if (type === T.NS) return { answers: [nameRecord(asked, T.NS, ttl, "localhost.")] };
  return (name === "localhost." ? addresses(asked, type) : undefined) ?? { authorities: [soa(asked)] };
}

function addresses(name: string, type: number): Partial<Message> | undefined {
  if (type === T.A) return { answers: [addressRecord(name, ttl, "127.0.0.1")] };
  return type === T.AAAA ? { answers: [addressRecord(name, ttl, "::1")] } : undefined;
}

function soa(name: string): ResourceRecord {
  const numbers = { serial: 1, refresh: 0, retry: 0, expire: 0, minimum: ttl };
  return { name, type: T.SOA, class: classes.IN, ttl, data: { kind: "soa", mname: "localhost.", rname: "root.localhost.", ...numbers } };
}
