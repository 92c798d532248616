/**
 * Names of what a cluster shows to the outside (CoreDNS `plugin/k8s_external`): `SERVICE.NAMESPACE.ZONE` has the external
 * addresses of the Service, with `headless` those of a headless Service's endpoints.
 */
import { parseIp } from "../../lib/ip.ts";
import type { DnsIndex } from "./dns-index.ts";
import type { PortEntry, ServiceEntry } from "./entries.ts";
import { endpointLabel } from "./find.ts";
import { absolute, isWithin, labelsOf, under, withoutZone } from "./name.ts";
import { addressRecord, classes, nameRecord, recordTypes as T, type ResourceRecord } from "./records.ts";
import { addressOfReverse } from "./reverse.ts";

export interface ExternalZone {
  readonly origin: string;
  /** The zone that PTR records point to. */
  readonly primary: string;
  /** Label of the subdomain that holds the name servers. */
  readonly apex: string;
  readonly hostmaster: string;
  readonly ttl: number;
  readonly headless: boolean;
  readonly namespaces: ReadonlySet<string>;
  readonly endpointPodNames: boolean;
  /** Addresses that `ns1` has. */
  readonly nameServers: readonly string[];
}

export interface ExternalAnswer {
  readonly kind: "answer" | "noData" | "nameError";
  readonly answers: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  /** Names whose records belong behind the answers: whoever asks resolves them. */
  readonly follow: readonly string[];
}

interface ExternalTarget {
  /** An address or a name. */
  readonly host: string;
  readonly port: number;
  readonly name: string;
}

const nothing = { answers: [], additionals: [], follow: [] } as const;
const noData: ExternalAnswer = { kind: "noData", ...nothing };
const nameError: ExternalAnswer = { kind: "nameError", ...nothing };

/** `name`: folded; `asked`: the same as it was asked. */
export function lookupExternal(index: DnsIndex, zone: ExternalZone, name: string, asked: string, type: number): ExternalAnswer {
  if (name === zone.origin) return apex(index, zone, asked, type);
  if (isWithin(under(zone.apex, zone.origin), name)) return nameServer(zone, name, asked, type);
  const reverse = type === T.PTR ? addressOfReverse(name) : undefined;
  if (reverse !== undefined) return lookupPointer(index, zone, asked, reverse);
  const found = targetsAt(index, zone, withoutZone(name, zone.origin));
  if (typeof found === "string") return found === "noData" ? noData : nameError;
  if (found.length === 0) return nameError;
  return recordsFor(found, zone, asked, type);
}

export function externalAuthority(index: DnsIndex, { origin, apex: label, hostmaster, ttl }: ExternalZone): ResourceRecord {
  const names = { mname: under(`ns1.${label}`, origin), rname: under(`${hostmaster}.${label}`, origin) };
  const timers = { refresh: 7200, retry: 1800, expire: 86_400, minimum: ttl };
  return { name: origin, type: T.SOA, class: classes.IN, ttl, data: { kind: "soa", ...names, serial: index.serial, ...timers } };
}

const answer = (
  answers: readonly ResourceRecord[],
  additionals: readonly ResourceRecord[] = [],
  follow: readonly string[] = [],
): ExternalAnswer => (answers.length === 0 ? noData : { kind: "answer", answers, additionals, follow });

function apex(index: DnsIndex, zone: ExternalZone, asked: string, type: number): ExternalAnswer {
  if (type === T.SOA) return answer([externalAuthority(index, zone)]);
  if (type !== T.NS) return noData;
  const server = under(`ns1.${zone.apex}`, zone.origin);
  return answer(
    [nameRecord(asked, T.NS, zone.ttl, server)],
    zone.nameServers.map((address) => addressRecord(server, zone.ttl, address)),
  );
}

function nameServer(zone: ExternalZone, name: string, asked: string, type: number): ExternalAnswer {
  if (name === under(zone.apex, zone.origin)) return noData;
  if (name !== under(`ns1.${zone.apex}`, zone.origin)) return nameError;
  return answer(zone.nameServers.map((address) => addressRecord(asked, zone.ttl, address)).filter((record) => record.type === type));
}

const isServed = (index: DnsIndex, { namespaces }: ExternalZone, namespace: string): boolean =>
  (namespaces.size === 0 || namespaces.has(namespace)) && index.hasNamespace(namespace);

function lookupPointer(index: DnsIndex, zone: ExternalZone, asked: string, address: string): ExternalAnswer {
  const services = [...index.externalsAt(address)].filter(
    ({ namespace }) => zone.namespaces.size === 0 || isServed(index, zone, namespace),
  );
  const names = new Set(services.map(({ name, namespace }) => under(`${name}.${namespace}`, zone.primary)));
  return names.size === 0 ? nameError : answer([...names].map((name) => nameRecord(asked, T.PTR, zone.ttl, name)));
}

function targetsAt(index: DnsIndex, zone: ExternalZone, relative: string): readonly ExternalTarget[] | "noData" | "nameError" {
  const labels = labelsOf(relative);
  const namespace = labels.pop() ?? "";
  if (!isServed(index, zone, namespace)) return "nameError";
  const name = labels.pop();
  if (name === undefined) return "noData";
  const service = index.service(namespace, name);
  if (service === undefined || labels.length > 2) return "nameError";
  const [port, protocol] = labels.length === 2 ? labels.map(bare) : ["", ""];
  const matches = (entry: PortEntry) => (port === "" || port === entry.name) && (protocol === "" || protocol === entry.protocol);
  return targetsOf(index, zone, service, labels.length === 1 ? bare(labels[0] as string) : "", matches);
}

const bare = (label: string): string => label.replace(/^_/, "");

export function targetsOf(
  index: DnsIndex,
  zone: ExternalZone,
  service: ServiceEntry,
  endpoint: string,
  matches: (port: PortEntry) => boolean,
): readonly ExternalTarget[] {
  const base = under(`${service.name}.${service.namespace}`, zone.origin);
  if (zone.headless && service.externals.length === 0 && (service.kind === "headless" || endpoint !== "")) {
    return [...index.slices(service.namespace, service.name)].flatMap((slice) =>
      slice.endpoints.flatMap((one) => {
        const label = endpointLabel(one, zone);
        if (endpoint !== "" && label.toLowerCase() !== endpoint) return [];
        return slice.ports.filter(matches).map(({ port }) => ({ host: one.address, port, name: `${label}.${base}` }));
      }),
    );
  }
  return service.externals.flatMap((host) => service.ports.filter(matches).map(({ port }) => ({ host, port, name: base })));
}

function recordsFor(targets: readonly ExternalTarget[], zone: ExternalZone, asked: string, type: number): ExternalAnswer {
  switch (type) {
    case T.A:
    case T.AAAA:
      return addressesFor(targets, zone, asked, type);
    case T.SRV:
      return servicesFor(targets, zone, asked);
    default:
      return noData;
  }
}

function addressesFor(targets: readonly ExternalTarget[], { ttl }: ExternalZone, asked: string, type: number): ExternalAnswer {
  const hosts = [...new Set(targets.map(({ host }) => host))];
  const names = hosts.filter((host) => parseIp(host) === undefined).map(absolute);
  const addresses = hosts.filter((host) => parseIp(host) !== undefined).map((host) => addressRecord(asked, ttl, host));
  return answer(
    [...names.map((name) => nameRecord(asked, T.CNAME, ttl, name)), ...addresses.filter((record) => record.type === type)],
    [],
    names,
  );
}

function servicesFor(targets: readonly ExternalTarget[], { ttl }: ExternalZone, asked: string): ExternalAnswer {
  const real = targets.filter(({ port }) => port !== -1);
  const weight = Math.max(1, Math.floor(100 / Math.max(1, targets.length)));
  const records = new Map<string, ResourceRecord>();
  const additionals = new Map<string, ResourceRecord>();
  for (const { host, port, name } of real) {
    const isAddress = parseIp(host) !== undefined;
    const target = isAddress ? name : absolute(host);
    const data = { kind: "srv", priority: 0, weight, port, target } as const;
    records.set(`${target} ${port}`, { name: asked, type: T.SRV, class: classes.IN, ttl, data });
    if (isAddress) additionals.set(`${target} ${host}`, addressRecord(target, ttl, host));
  }
  return answer([...records.values()], [...additionals.values()]);
}

/** All records of the zone, the SOA record first. */
export function wholeExternalZone(index: DnsIndex, zone: ExternalZone): readonly ResourceRecord[] {
  const { origin, ttl } = zone;
  const server = under(`ns1.${zone.apex}`, origin);
  const names = [...index.allServices()]
    .filter(({ namespace }) => isServed(index, zone, namespace))
    .flatMap((service) => namesOf(index, zone, service));
  const records = names.flatMap((name) => [T.A, T.AAAA, T.SRV].flatMap((type) => lookupExternal(index, zone, name, name, type).answers));
  const unique = new Map(records.map((record) => [JSON.stringify(record), record]));
  return [
    externalAuthority(index, zone),
    nameRecord(origin, T.NS, ttl, server),
    ...zone.nameServers.map((address) => addressRecord(server, ttl, address)),
    ...unique.values(),
  ];
}

function namesOf(index: DnsIndex, zone: ExternalZone, service: ServiceEntry): readonly string[] {
  const targets = targetsOf(index, zone, service, "", () => true);
  if (targets.length === 0) return [];
  const base = under(`${service.name}.${service.namespace}`, zone.origin);
  const named = service.ports.filter(({ name }) => name !== "").map(({ name, protocol }) => `_${name}._${protocol}.${base}`);
  return [...new Set([base, ...targets.map(({ name }) => name.toLowerCase()), ...named])];
}
