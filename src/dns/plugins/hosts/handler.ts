import { isWithin, matchZone } from "../../../decide/dns/name.ts";
import { addressRecord, nameRecord, rcodes, recordTypes as T, type ResourceRecord } from "../../../decide/dns/records.ts";
import { addressOfReverse } from "../../../decide/dns/reverse.ts";
import { failure, reply, type ChangeSource, type DnsRequest, type Handler, type Next } from "../../plugin.ts";
import { createReply } from "../../wire/message.ts";
import type { HostsSettings } from "./setup.ts";
import type { HostsTable } from "./table.ts";

export function hostsHandler(
  table: () => HostsTable,
  zones: readonly string[],
  { ttl, fallthrough, fallthroughUnsupported }: HostsSettings,
  source: ChangeSource,
): Handler {
  const goesOn = (name: string) => fallthrough?.some((zone) => isWithin(zone, name)) === true;

  function serveDNS(request: DnsRequest, next: Next) {
    const { question, name, message } = request;
    // Addresses have names wherever the zone of the name is: the table is not cut by reverse zones.
    if (matchZone(zones, name) === undefined && question.type !== T.PTR) return next(request);
    const records = find(name, question.name, question.type);
    if (records.length > 0) {
      return {
        ...reply("hosts", createReply(message, { authoritative: true, answers: records })),
        holds: { until: "change", tag: "*", source } as const,
      };
    }
    const exists = question.type !== T.PTR && table().addresses(name).length > 0;
    // A file of hosts has no SOA record to deny a name with: whoever asks is to try elsewhere.
    if (!exists) return goesOn(name) || question.type === T.PTR ? next(request) : failure(rcodes.SERVFAIL);
    const unsupported = question.type !== T.A && question.type !== T.AAAA;
    return unsupported && fallthroughUnsupported && goesOn(name)
      ? next(request)
      : reply("hosts", createReply(message, { authoritative: true }));
  }

  function find(name: string, asked: string, type: number): readonly ResourceRecord[] {
    if (type === T.PTR) {
      const address = addressOfReverse(name);
      return address === undefined
        ? []
        : table()
            .names(address)
            .map((target) => nameRecord(asked, type, ttl, target));
    }
    return table()
      .addresses(name)
      .map((address) => addressRecord(asked, ttl, address))
      .filter((record) => record.type === type);
  }

  return { name: "hosts", repeatable: true, serveDNS };
}
