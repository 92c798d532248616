/**
 * The answer to a question about the cluster's zone: pure, with the reason. Names keep the case of the question where they
 * come from it (0x20), so a zone is written as it was asked. Behaviour follows CoreDNS's kubernetes plugin
 * (`plugin/backend_lookup.go`, `plugin/kubernetes`), oddities that clients see included; they are named where they are.
 */
import type { DnsIndex } from "./dns-index.ts";
import { find, type Found, type LookupReason, type LookupZone } from "./find.ts";
import type { Answer, LookupResult, NameError, NoData } from "./lookup-result.ts";
import { lookupReverse } from "./lookup-reverse.ts";
import { absolute, foldName, isWithin, under, withoutZone } from "./name.ts";
import { nameServerAddresses } from "./name-servers.ts";
import { addressRecord, classes, nameRecord, recordTypes, type ResourceRecord } from "./records.ts";
import { serviceRecords } from "./service-records.ts";

/** The version of the specification, as `dns-version` says it. */
const schemaVersion = "1.1.0";
const schemaVersionTtl = 28_800;
const maxAliases = 10;

/** `name` is absolute, as asked, and within the zone. */
export function lookup(index: DnsIndex, name: string, type: number, zone: LookupZone): LookupResult {
  const relative = withoutZone(foldName(name), zone.origin);
  switch (type) {
    case recordTypes.A:
    case recordTypes.AAAA:
      return lookupAddresses(index, name, type, zone, []);
    case recordTypes.TXT:
      return lookupText(index, name, relative, zone);
    case recordTypes.CNAME:
      return lookupAlias(index, name, relative, zone);
    case recordTypes.PTR:
      return lookupReverse(index, name, zone);
    case recordTypes.SRV:
      return lookupServices(index, name, relative, zone);
    case recordTypes.SOA:
      // Below the apex CoreDNS says "no data" without looking whether the name exists.
      if (relative !== "") return { kind: "noData", reason: "OtherType" };
      return answer("Authority", [authority(index, name, zone)]);
    case recordTypes.NS:
      return relative === "" ? lookupNameServers(index, name, zone) : other(at(index, zone, relative));
    default:
      return other(at(index, zone, relative));
  }
}

/** The SOA record of the zone that holds `name`, for its apex and for every negative answer (RFC 2308 3). */
export function authority(index: DnsIndex, name: string, zone: LookupZone): ResourceRecord {
  const origin = originAsAsked(name, zone);
  return {
    name: origin,
    type: recordTypes.SOA,
    class: classes.IN,
    ttl: Math.min(zone.ttl, 300),
    data: {
      kind: "soa",
      mname: under("ns.dns", origin),
      rname: under("hostmaster", origin),
      serial: index.serial,
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: zone.ttl,
    },
  };
}

/** The zone's name in the case of the question. */
function originAsAsked(name: string, zone: LookupZone): string {
  return zone.origin === "." ? "." : name.slice(name.length - zone.origin.length);
}

function answer(reason: LookupReason, records: readonly ResourceRecord[], additional: readonly ResourceRecord[] = []): Answer | NoData {
  return records.length === 0 ? { kind: "noData", reason: "OtherType" } : { kind: "answer", reason, records, additional };
}

/** For a type that nothing in a cluster has. */
function other(found: Found): NoData | NameError {
  if (found.kind === "nameError") return { kind: "nameError", reason: found.reason };
  return { kind: "noData", reason: found.kind === "nothing" ? found.reason : "OtherType" };
}

/** Like `find`; `ns.dns` exists besides what the cluster has. */
function at(index: DnsIndex, zone: LookupZone, relative: string): Found {
  return relative === "ns.dns" ? { kind: "nothing", reason: "NameServer" } : find(index, zone, relative);
}

function lookupAddresses(index: DnsIndex, name: string, type: number, zone: LookupZone, aliases: readonly ResourceRecord[]): LookupResult {
  const relative = withoutZone(foldName(name), zone.origin);
  if (relative === "ns.dns") {
    const servers = nameServerAddresses(index, zone, originAsAsked(name, zone)).map(({ address }) =>
      addressRecord(name, zone.ttl, address),
    );
    return answer("NameServer", ofType(servers, type));
  }
  const found = find(index, zone, relative);
  if (found.kind !== "targets") return other(found);
  const alias = found.targets[0]?.name;
  if (alias !== undefined) return followAlias(index, name, type, zone, absolute(alias), aliases);
  const addresses = new Set(found.targets.map(({ address = "" }) => address));
  return answer(
    found.reason,
    ofType(
      [...addresses].map((address) => addressRecord(name, zone.ttl, address)),
      type,
    ),
  );
}

function ofType(records: readonly ResourceRecord[], type: number): readonly ResourceRecord[] {
  return records.filter((record) => record.type === type);
}

/** An ExternalName: within the zone it is followed here, to an answer or to none; outside whoever asked goes on. */
function followAlias(
  index: DnsIndex,
  name: string,
  type: number,
  zone: LookupZone,
  target: string,
  aliases: readonly ResourceRecord[],
): LookupResult {
  const unresolved: NoData = { kind: "noData", reason: "TargetUnresolved" };
  const folded = foldName(target);
  const seen = aliases.some(({ data }) => data.kind === "name" && foldName(data.target) === folded);
  if (folded === foldName(name) || seen || aliases.length > maxAliases) return unresolved;
  const alias = nameRecord(name, recordTypes.CNAME, zone.ttl, target);
  if (!isWithin(zone.origin, folded)) {
    return { kind: "answer", reason: "ExternalName", records: [alias], additional: [], follow: target };
  }
  const next = lookupAddresses(index, target, type, zone, [...aliases, alias]);
  return next.kind === "answer" ? { ...next, reason: "ExternalName", records: [alias, ...next.records] } : unresolved;
}

function lookupText(index: DnsIndex, name: string, relative: string, zone: LookupZone): LookupResult {
  if (relative === "dns-version") {
    const data = { kind: "txt", strings: [schemaVersion] } as const;
    return answer("SchemaVersion", [{ name, type: recordTypes.TXT, class: classes.IN, ttl: schemaVersionTtl, data }]);
  }
  const found = find(index, zone, relative);
  // CoreDNS denies here even what exists above other names: the zone's branches and namespaces.
  if (found.kind === "nothing" && found.reason !== "ZoneWithoutEndpoints") return { kind: "nameError", reason: found.reason };
  return other(found);
}

function lookupAlias(index: DnsIndex, name: string, relative: string, zone: LookupZone): LookupResult {
  const found = at(index, zone, relative);
  if (found.kind !== "targets") return other(found);
  const target = found.targets[0]?.name;
  return answer("ExternalName", target === undefined ? [] : [nameRecord(name, recordTypes.CNAME, zone.ttl, absolute(target))]);
}

function lookupServices(index: DnsIndex, name: string, relative: string, zone: LookupZone): LookupResult {
  const found = at(index, zone, relative);
  if (found.kind !== "targets") return other(found);
  // An ExternalName has no port to tell.
  const targets = found.targets.filter(({ address }) => address !== undefined);
  const { records, additional } = serviceRecords(targets, name, originAsAsked(name, zone), zone.ttl);
  return answer("ServicePort", records, additional);
}

function lookupNameServers(index: DnsIndex, name: string, zone: LookupZone): LookupResult {
  const servers = nameServerAddresses(index, zone, name);
  const names = new Set(servers.map((server) => server.name));
  return answer(
    "NameServer",
    [...names].map((server) => nameRecord(name, recordTypes.NS, zone.ttl, server)),
    servers.map((server) => addressRecord(server.name, zone.ttl, server.address)),
  );
}
