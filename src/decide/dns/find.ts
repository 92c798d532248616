/**
 * Which objects of the cluster stand at a name: the part of a lookup that does not depend on the record type asked for
 * (CoreDNS `plugin/kubernetes/kubernetes.go`, `Records`, `findPods`, `findServices`).
 */
import { formatIp, parseIp } from "../../lib/ip.ts";
import type { DnsIndex } from "./dns-index.ts";
import type { EndpointEntry, PortEntry, ServiceEntry } from "./entries.ts";
import { isReverseName } from "./reverse.ts";
import { parseRequestName, type RequestName } from "./request-name.ts";

/** What a zone serves and how: the options of the `kubernetes` directive. */
export interface LookupZone {
  /** Folded, absolute. */
  readonly origin: string;
  /** The zone in which PTR records point: the first that is not a reverse zone. */
  readonly primary: string;
  /** Seconds, of every record but `dns-version`. */
  readonly ttl: number;
  readonly pods: "disabled" | "insecure" | "verified";
  /** Namespaces that are served; empty: all there are. */
  readonly namespaces: ReadonlySet<string>;
  readonly endpointPodNames: boolean;
  /** A ClusterIP Service without ready endpoints does not exist. */
  readonly ignoreEmptyService: boolean;
  readonly zonal: boolean;
  /** Addresses at which this server answers: whose Service the NS records name. */
  readonly localAddresses: readonly string[];
}

/**
 * Why an answer is as it is. Stable: `explain` and the documentation use them.
 *
 * - `ServiceAddress` `HeadlessEndpoints` `Endpoint` `ExternalName` `PodAddress` `ServicePort` `ReverseService`
 *   `ReverseEndpoint` `NameServer` `Authority` `SchemaVersion`: the records come from there
 * - `Apex`, `NamespaceOnly`: the name exists above others and holds nothing itself
 * - `OtherType`: the name holds records, of other types only
 * - `ZoneWithoutEndpoints`: `pin._zone` of a zone in which no endpoint is
 * - `TargetUnresolved`: an ExternalName leads nowhere
 * - `NotInSchema`: no name of a cluster looks like this
 * - `NamespaceNotServed`: the namespace does not exist, or the Corefile does not serve it
 * - `ServiceNotFound`, `PortNotFound`, `EndpointNotFound`, `NoReadyEndpoints`, `NotHeadless`, `PodNotFound`, `NotAnAddress`,
 *   `PodsDisabled`, `ExternalNameHasNoParts`, `ExternalNameIsAddress`, `AddressUnknown`: what is missing
 */
export type LookupReason =
  | "ServiceAddress"
  | "HeadlessEndpoints"
  | "Endpoint"
  | "ExternalName"
  | "PodAddress"
  | "ServicePort"
  | "ReverseService"
  | "ReverseEndpoint"
  | "NameServer"
  | "Authority"
  | "SchemaVersion"
  | "Apex"
  | "NamespaceOnly"
  | "OtherType"
  | "ZoneWithoutEndpoints"
  | "TargetUnresolved"
  | "NotInSchema"
  | "NamespaceNotServed"
  | "ServiceNotFound"
  | "PortNotFound"
  | "EndpointNotFound"
  | "NoReadyEndpoints"
  | "NotHeadless"
  | "PodNotFound"
  | "NotAnAddress"
  | "PodsDisabled"
  | "ExternalNameHasNoParts"
  | "ExternalNameIsAddress"
  | "AddressUnknown";

/** One thing that a name stands for: an address, or (ExternalName) another name. */
export interface Target {
  readonly address?: string;
  readonly name?: string;
  /** -1: without a port. */
  readonly port: number;
  /** The name of just this thing, below the zone: `172-0-0-2.db.shop.svc`. */
  readonly relative: string;
}

export type Found =
  | { readonly kind: "targets"; readonly targets: readonly Target[]; readonly reason: LookupReason }
  | { readonly kind: "nothing"; readonly reason: LookupReason }
  | { readonly kind: "nameError"; readonly reason: LookupReason };

const nameError = (reason: LookupReason): Found => ({ kind: "nameError", reason });
const nothing = (reason: LookupReason): Found => ({ kind: "nothing", reason });

/** `relative`: folded, below the zone. */
export function find(index: DnsIndex, zone: LookupZone, relative: string): Found {
  const name = parseRequestName(relative, zone.zonal);
  if (name === "apex") return nothing("Apex");
  if (name === "invalid" || isReverseName(zone.origin)) return nameError("NotInSchema");
  if (!isServed(index, zone, name.namespace)) return nameError("NamespaceNotServed");
  return name.branch === "pod" ? findPods(index, zone, name) : findService(index, zone, name);
}

export function isServed(index: DnsIndex, zone: LookupZone, namespace: string): boolean {
  return (zone.namespaces.size === 0 || zone.namespaces.has(namespace)) && index.hasNamespace(namespace);
}

/** The label of an endpoint: its hostname, its pod's name when the zone is so configured, else its address with dashes. */
export function endpointLabel(endpoint: EndpointEntry, zone: Pick<LookupZone, "endpointPodNames">): string {
  if (endpoint.hostname !== "") return endpoint.hostname;
  if (zone.endpointPodNames && endpoint.podName !== "") return endpoint.podName;
  const dashed = endpoint.address.replace(/[.:]/g, "-");
  // A label must not end in a dash.
  return dashed.endsWith("-") ? `${dashed}0` : dashed;
}

function findPods(index: DnsIndex, zone: LookupZone, name: RequestName): Found {
  if (zone.pods === "disabled") return nameError("PodsDisabled");
  if (name.service === "") return nothing("NamespaceOnly");
  const address = dashedAddress(name.service);
  if (address === undefined) return nameError("NotAnAddress");
  if (zone.pods === "verified" && ![...index.podsAt(address)].includes(name.namespace)) return nameError("PodNotFound");
  return { kind: "targets", targets: [{ address, port: 0, relative: `${name.service}.${name.namespace}.pod` }], reason: "PodAddress" };
}

/** `172-0-0-2` and `5678-abcd--1`. */
function dashedAddress(label: string): string | undefined {
  const v4 = (label.match(/-/g) ?? []).length === 3 && !label.includes("--");
  const ip = parseIp(label.replaceAll("-", v4 ? "." : ":"));
  return ip === undefined ? undefined : formatIp(ip);
}

function findService(index: DnsIndex, zone: LookupZone, name: RequestName): Found {
  if (name.service === "") return nothing("NamespaceOnly");
  const service = index.service(name.namespace, name.service);
  if (service === undefined) return nameError("ServiceNotFound");
  if (name.zone !== "" && service.kind !== "headless") return nameError("NotHeadless");
  if (service.kind === "externalName") return externalName(service, name);
  if (service.kind === "clusterIP" && zone.ignoreEmptyService && !hasEndpoints(index, service)) return nameError("NoReadyEndpoints");
  if (service.kind === "headless" || name.endpoint !== "") return findEndpoints(index, zone, service, name);
  return clusterAddresses(service, name);
}

const relativeOf = ({ name, namespace }: ServiceEntry): string => `${name}.${namespace}.svc`;

function externalName(service: ServiceEntry, { endpoint, port, protocol }: RequestName): Found {
  if (endpoint !== "" || port !== "" || protocol !== "") return nameError("ExternalNameHasNoParts");
  if (parseIp(service.externalName) !== undefined) return nameError("ExternalNameIsAddress");
  return { kind: "targets", targets: [{ name: service.externalName, port: 0, relative: relativeOf(service) }], reason: "ExternalName" };
}

function hasEndpoints(index: DnsIndex, service: ServiceEntry): boolean {
  for (const { endpoints } of index.slices(service.namespace, service.name)) if (endpoints.length > 0) return true;
  return false;
}

function clusterAddresses(service: ServiceEntry, name: RequestName): Found {
  const relative = relativeOf(service);
  const targets: Target[] = [];
  for (const port of service.ports) {
    if (!matchesPort(name, port)) continue;
    for (const address of service.addresses) targets.push({ address, port: port.port, relative });
  }
  return targets.length === 0 ? nameError("PortNotFound") : { kind: "targets", targets, reason: "ServiceAddress" };
}

function matchesPort(name: RequestName, port: PortEntry): boolean {
  return (name.port === "" || name.port === port.name) && (name.protocol === "" || name.protocol === port.protocol);
}

function findEndpoints(index: DnsIndex, zone: LookupZone, service: ServiceEntry, name: RequestName): Found {
  let targets = endpointTargets(index, zone, service, name, name.zone);
  if (targets.length === 0 && name.prefer) targets = endpointTargets(index, zone, service, name, "");
  if (targets.length > 0) return { kind: "targets", targets, reason: name.endpoint === "" ? "HeadlessEndpoints" : "Endpoint" };
  if (name.zone !== "") return nothing("ZoneWithoutEndpoints");
  if (name.endpoint !== "") return nameError("EndpointNotFound");
  return nameError(hasEndpoints(index, service) ? "PortNotFound" : "NoReadyEndpoints");
}

function endpointTargets(index: DnsIndex, zone: LookupZone, service: ServiceEntry, name: RequestName, topology: string): Target[] {
  const below = relativeOf(service);
  const targets: Target[] = [];
  for (const slice of index.slices(service.namespace, service.name)) {
    for (const endpoint of slice.endpoints) {
      if (topology !== "" && endpoint.zone !== topology) continue;
      const label = endpointLabel(endpoint, zone);
      if (name.endpoint !== "" && label.toLowerCase() !== name.endpoint) continue;
      for (const port of slice.ports) {
        if (matchesPort(name, port)) targets.push({ address: endpoint.address, port: port.port, relative: `${label}.${below}` });
      }
    }
  }
  return targets;
}
