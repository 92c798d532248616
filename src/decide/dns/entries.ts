/** Services and EndpointSlices as DNS sees them: what an index holds of each. */
import { objectKey } from "../../api/object.ts";
import type { EndpointSlice, Service } from "../../api/types.ts";
import { canonicalIp } from "../../lib/ip.ts";

export interface PortEntry {
  /** Folded; empty for a port without a name. */
  readonly name: string;
  /** `tcp`, `udp`, `sctp`; empty when unknown. */
  readonly protocol: string;
  /** -1: an object without ports still has addresses, but no SRV record. */
  readonly port: number;
}

export interface ServiceEntry {
  readonly kind: "clusterIP" | "headless" | "externalName";
  readonly namespace: string;
  readonly name: string;
  /** ClusterIPs, canonical. */
  readonly addresses: readonly string[];
  readonly ports: readonly PortEntry[];
  /** Empty unless the kind is `externalName`. */
  readonly externalName: string;
  /** External IPs, and the addresses and names of load balancers. */
  readonly externals: readonly string[];
}

export interface EndpointEntry {
  readonly address: string;
  /** Empty without one. */
  readonly hostname: string;
  /** Of the target, when it fits a label. */
  readonly podName: string;
  /** Topology zone, folded. */
  readonly zone: string;
}

export interface SliceEntry {
  readonly key: string;
  readonly namespace: string;
  /** Name of the Service; empty for a slice of none. */
  readonly service: string;
  /** Only those that are ready (unknown counts as ready). */
  readonly endpoints: readonly EndpointEntry[];
  readonly ports: readonly PortEntry[];
}

const none: readonly never[] = [];
const noPorts: readonly PortEntry[] = [{ name: "", protocol: "", port: -1 }];

/** What of an object goes into its entry, and who keeps one copy of what many hold. */
export interface EntryOptions {
  readonly podNames: boolean;
  readonly zones: boolean;
  readonly text: (value: string) => string;
  readonly ports: (list: readonly PortEntry[]) => readonly PortEntry[];
}

const everything: EntryOptions = { podNames: true, zones: true, text: (value) => value, ports: (list) => list };

export function serviceEntry(service: Service, options: EntryOptions = everything): ServiceEntry {
  const { name = "", namespace = "" } = service.metadata;
  const { type, clusterIP, clusterIPs, externalName = "", externalIPs = [], ports = [] } = service.spec ?? {};
  const balancers = (service.status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? "");
  const given = clusterIPs !== undefined && clusterIPs.length > 0 ? clusterIPs : [clusterIP ?? ""];
  const headless = given[0] === "None";
  const kind = type === "ExternalName" ? "externalName" : headless ? "headless" : "clusterIP";
  return {
    kind,
    namespace: options.text(namespace),
    name,
    addresses: kind === "clusterIP" ? given.filter(Boolean).map(canonical) : none,
    ports: options.ports(portEntries(ports)),
    externalName: kind === "externalName" ? externalName : "",
    externals:
      externalIPs.length + balancers.length === 0 ? none : [...new Set([...externalIPs, ...balancers].filter(Boolean).map(canonical))],
  };
}

export function sliceEntry(slice: EndpointSlice, options: EntryOptions = everything): SliceEntry {
  const { namespace = "", labels = {} } = slice.metadata;
  const endpoints = (slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses, hostname = "", targetRef, zone = "" }) => {
      const target = options.podNames ? (targetRef?.name ?? "") : "";
      // A pod's name may be longer than a label: then it cannot name an endpoint.
      const podName = target.length < 64 ? target : "";
      const topology = options.zones ? options.text(zone.toLowerCase()) : "";
      return addresses.map((address) => ({ address: canonical(address), hostname, podName, zone: topology }));
    });
  return {
    key: objectKey(slice),
    namespace: options.text(namespace),
    service: labels["kubernetes.io/service-name"] ?? "",
    endpoints,
    ports: options.ports(portEntries(slice.ports ?? [])),
  };
}

interface ApiPort {
  readonly name?: string | undefined;
  readonly protocol?: string | undefined;
  readonly port?: number | undefined;
}

function portEntries(ports: readonly ApiPort[]): readonly PortEntry[] {
  if (ports.length === 0) return noPorts;
  return ports.map(({ name = "", protocol = "", port = -1 }) => ({ name: name.toLowerCase(), protocol: protocol.toLowerCase(), port }));
}

/** IPv4 is stored canonical by the API; IPv6 may be written in more than one way. */
export function canonical(address: string): string {
  return address.includes(":") ? canonicalIp(address) : address;
}
