/** All records of a cluster zone, in the order of a transfer (CoreDNS `plugin/kubernetes/xfr.go`): the SOA record first. */
import type { DnsIndex } from "./dns-index.ts";
import type { ServiceEntry, SliceEntry } from "./entries.ts";
import { endpointLabel, isServed, type LookupZone } from "./find.ts";
import { authority } from "./lookup.ts";
import { absolute, under } from "./name.ts";
import { nameServerAddresses } from "./name-servers.ts";
import { addressRecord, classes, nameRecord, recordTypes, type ResourceRecord } from "./records.ts";
import { isReverseName } from "./reverse.ts";
import { parseIp } from "../../lib/ip.ts";

export function wholeZone(index: DnsIndex, zone: LookupZone): readonly ResourceRecord[] {
  const { origin, ttl } = zone;
  const servers = nameServerAddresses(index, zone, origin);
  const names = new Set(servers.map(({ name }) => name));
  const services = isReverseName(origin) ? [] : [...index.allServices()].filter(({ namespace }) => isServed(index, zone, namespace));
  return [
    authority(index, origin, zone),
    ...[...names].map((name) => nameRecord(origin, recordTypes.NS, ttl, name)),
    ...servers.map(({ name, address }) => addressRecord(name, ttl, address)),
    ...services.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)).flatMap((service) => recordsOf(index, zone, service)),
  ];
}

function recordsOf(index: DnsIndex, zone: LookupZone, service: ServiceEntry): readonly ResourceRecord[] {
  const base = under(`${service.name}.${service.namespace}.svc`, zone.origin);
  switch (service.kind) {
    case "clusterIP":
      return clusterRecords(zone, service, base);
    case "headless":
      return headlessRecords(zone, [...index.slices(service.namespace, service.name)], base);
    case "externalName":
      return parseIp(service.externalName) === undefined
        ? [nameRecord(base, recordTypes.CNAME, zone.ttl, absolute(service.externalName))]
        : [];
  }
}

const srv = (name: string, ttl: number, weight: number, port: number, target: string): ResourceRecord => ({
  name,
  type: recordTypes.SRV,
  class: classes.IN,
  ttl,
  data: { kind: "srv", priority: 0, weight, port, target },
});

/** Ports without a name have a record too, at the Service itself: peer-finders ask for that. */
function clusterRecords({ ttl }: LookupZone, { addresses, ports }: ServiceEntry, base: string): readonly ResourceRecord[] {
  const real = ports.filter(({ port }) => port !== -1);
  return [
    ...addresses.map((address) => addressRecord(base, ttl, address)),
    ...real.flatMap(({ name, protocol, port }) => [
      srv(base, ttl, 100, port, base),
      ...(name === "" ? [] : [srv(`_${name}._${protocol}.${base}`, ttl, 100, port, base)]),
    ]),
  ];
}

/** Every endpoint weighs the same, as in answers. */
function headlessRecords(zone: LookupZone, slices: readonly SliceEntry[], base: string): readonly ResourceRecord[] {
  const count = slices.reduce((sum, { endpoints }) => sum + endpoints.length, 0);
  const weight = Math.max(1, Math.floor(100 / Math.max(1, count)));
  return slices.flatMap((slice) => sliceRecords(zone, slice, base, weight));
}

function sliceRecords(zone: LookupZone, { endpoints, ports }: SliceEntry, base: string, weight: number): readonly ResourceRecord[] {
  return endpoints.flatMap((endpoint) => {
    const name = `${endpointLabel(endpoint, zone)}.${base}`;
    const named = ports.filter((port) => port.name !== "");
    return [
      addressRecord(base, zone.ttl, endpoint.address),
      addressRecord(name, zone.ttl, endpoint.address),
      ...named.map((port) => srv(`_${port.name}._${port.protocol}.${base}`, zone.ttl, weight, port.port, name)),
    ];
  });
}
