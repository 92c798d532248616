/** Addresses of IPv4 as such of IPv6, for clients that have nothing else (RFC 6147, RFC 6052). */
import { addressRecord, classes, rcodes, recordTypes, type ResourceRecord } from "../../../decide/dns/records.ts";
import { formatIp, parseIp, type Cidr } from "../../../lib/ip.ts";
import { after, failure, reply, type Awaitable, type DnsRequest, type Handler, type Outcome } from "../../plugin.ts";
import { createReply, type Message } from "../../wire/message.ts";

export interface Dns64Settings {
  readonly prefix: Cidr;
  /** Also where there are real AAAA records. */
  readonly translateAll: boolean;
  /** Also for clients that asked by IPv4. */
  readonly allowIpv4: boolean;
  readonly translated: (server: string) => void;
}

/** The TTL of an answer whose denial of AAAA has no SOA (RFC 6147 5.1.7). */
const withoutSoaTtl = 600;

export function dns64Handler(settings: Dns64Settings): Handler {
  return {
    name: "dns64",
    serveDNS(request, next) {
      if (!concerns(settings, request)) return next(request);
      return after(next(request), (outcome) =>
        needsTranslation(settings, outcome) ? translate(settings, request, outcome.message) : outcome,
      );
    },
  };
}

function concerns({ allowIpv4 }: Dns64Settings, { question, client }: DnsRequest): boolean {
  const byIpv6 = client.address.includes(":") && !/^::ffff:\d+\./i.test(client.address);
  return question.type === recordTypes.AAAA && question.class === classes.IN && (allowIpv4 || byIpv6);
}

/** Any failure but NXDOMAIN counts as no AAAA record (RFC 6147 5.1.2). */
function needsTranslation({ translateAll }: Dns64Settings, outcome: Outcome): outcome is Extract<Outcome, { kind: "reply" }> {
  if (outcome.kind !== "reply" || outcome.message.rcode === rcodes.NXDOMAIN) return false;
  return translateAll || !outcome.message.answers.some(({ type }) => type === recordTypes.AAAA);
}

function translate({ prefix, translated }: Dns64Settings, request: DnsRequest, denial: Message): Awaitable<Outcome> {
  return after(request.resolve(request.question.name, recordTypes.A), (found) => {
    if (found === undefined) return failure(rcodes.SERVFAIL, new Error(`no addresses of ${request.name} to translate`));
    translated(request.server);
    const soa = denial.authorities.find(({ type }) => type === recordTypes.SOA);
    const most = soa?.ttl ?? withoutSoaTtl;
    const { authorities, additionals, truncated } = found;
    const answers = found.answers.map((record) => synthesize(record, prefix, most));
    return reply("dns64", createReply(request.message, { answers, authorities, additionals, truncated }));
  });
}

function synthesize(record: ResourceRecord, prefix: Cidr, most: number): ResourceRecord {
  const { data } = record;
  if (record.type !== recordTypes.A || data.kind !== "address") return record;
  return { ...addressRecord(record.name, Math.min(record.ttl, most), embed(prefix, data.address)), class: record.class };
}

/** RFC 6052 2.2: the bytes of the address follow the prefix, past byte 8, which stays zero. */
export function embed({ base, bits }: Cidr, address: string): string {
  const v4 = parseIp(address)?.value ?? 0n;
  let value = base;
  for (let i = 0, at = bits / 8; i < 4; i++, at++) {
    if (at === 8) at++;
    const byte = (v4 >> BigInt(8 * (3 - i))) & 0xffn;
    value |= byte << BigInt(8 * (15 - at));
  }
  return formatIp({ family: 6, value });
}
