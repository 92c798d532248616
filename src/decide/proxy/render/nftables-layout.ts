/**
 * The table that the proxy keeps per address family: its sets and maps, and the few rules that all Services share. A Service is
 * elements in these maps and adds no rule: a change costs its elements, whatever the number of Services.
 *
 * Two levels: `service-ips` leads from an address to a *class* (a number in the packet's mark), `classes` from the class to
 * the chain that knows how to pick. Adding to a map of verdicts makes the kernel walk that map, adding to a map of numbers
 * does not; the first has an element per class, the second one per Service.
 *
 * The mark is a register here: it is overwritten for the first packet of a connection to a Service. The table lives in a
 * node's own network namespace, where nothing else reads marks. Whether to masquerade travels in one bit of the
 * connection's mark, set by `or`, so that other bits survive.
 */
import type { IpFamily } from "../../../lib/ip.ts";
import { parseCidr } from "../../../lib/ip.ts";
import type { BaseHook, DataType, Element, Field, Operation, SetDeclaration, Statement, Table } from "../../../lib/nftables/ruleset.ts";
import type { EndpointSet, Protocol } from "../plan.ts";

/** Bit 14, as kube-proxy's `--iptables-masquerade-bit` has it by default. */
export const masqueradeBit = 0x4000;
/** The element of an endpoint of set `local` is at this index and up, those of `cluster` are from 0 on. */
export const localOffset = 0x1_0000;

export interface FamilyLayout {
  readonly family: IpFamily;
  readonly table: Table;
  readonly source: Field;
  readonly destination: Field;
  /** Cluster IPs: their other ports are refused. */
  readonly clusterIPs: SetDeclaration;
  readonly nodeIPs: SetDeclaration;
  /** (endpoint, endpoint) for each one here: a pod that reaches itself must not see its own address. */
  readonly hairpin: SetDeclaration;
  readonly services: SetDeclaration;
  readonly classes: SetDeclaration;
  /** Service address, port and index (with affinity: endpoint id) → endpoint. */
  readonly endpoints: Readonly<Record<Protocol, SetDeclaration>>;
  /** Service address, port and index → endpoint id; only Services with affinity. */
  readonly endpointIds: Readonly<Record<Protocol, SetDeclaration>>;
  /** Client and Service address → endpoint id, written by packets. IPv4 only; see `affinityMap`. */
  readonly affinity: Readonly<Record<EndpointSet, SetDeclaration>> | undefined;
}

/** Clients that are remembered at a time, per family; a full map costs new clients their stickiness, nothing else. */
const affinityEntries = 262_144;

export function familyLayout(family: IpFamily, tableName: string): FamilyLayout {
  const ip = family === 4 ? "ipv4_addr" : "ipv6_addr";
  const perProtocol = (make: (name: string) => SetDeclaration) => ({ TCP: make("tcp"), UDP: make("udp"), SCTP: make("sctp") });
  const affinity = (name: string) => affinityMap(name, [ip, ip, "inet_proto", "inet_service"]);
  return {
    family,
    table: { family: family === 4 ? "ip" : "ip6", name: tableName },
    source: family === 4 ? "ip saddr" : "ip6 saddr",
    destination: family === 4 ? "ip daddr" : "ip6 daddr",
    clusterIPs: { name: "cluster-ips", key: [ip] },
    nodeIPs: { name: "node-ips", key: [ip] },
    hairpin: { name: "hairpin", key: [ip, ip] },
    services: { name: "service-ips", key: [ip, "inet_proto", "inet_service"], value: ["mark"] },
    classes: { name: "classes", key: ["mark"], value: "verdict" },
    endpoints: perProtocol((protocol) => ({
      name: `endpoints-${protocol}`,
      key: [ip, "inet_service", "mark"],
      value: [ip, "inet_service"],
    })),
    endpointIds: perProtocol((protocol) => ({ name: `endpoint-ids-${protocol}`, key: [ip, "inet_service", "mark"], value: ["mark"] })),
    affinity: family === 6 ? undefined : { cluster: affinity("affinity"), local: affinity("affinity-local") },
  };
}

/**
 * Where packets write which endpoint a client has. One map for all Services in IPv4. `nft` 1.0.6 aborts on a statement that
 * writes a key of more than 16 bytes (it sees to one register for it), so in IPv6 each Service port has a map of its own, by
 * client alone.
 */
export function affinityMap(name: string, key: readonly DataType[]): SetDeclaration {
  return { name, key, value: ["mark"], size: affinityEntries, flags: ["dynamic", "timeout"] };
}

export const refuseChain = "refuse";
export const dropChain = "drop-packet";

export interface BaseOptions {
  /** The node's own addresses. */
  readonly nodeAddresses: readonly string[];
  /** Where Services may get addresses: packets to one that none has are dropped. */
  readonly serviceCIDRs: readonly string[];
}

/** Makes the table anew: what was there under its name goes. One transaction. */
export function baseOperations(layout: FamilyLayout, options: BaseOptions): readonly Operation[] {
  const { table } = layout;
  const sets = [layout.clusterIPs, layout.nodeIPs, layout.hairpin, layout.services, layout.classes];
  const perProtocol = (["TCP", "UDP", "SCTP"] as const).flatMap((protocol) => [layout.endpoints[protocol], layout.endpointIds[protocol]]);
  const all = [...sets, ...perProtocol, ...(layout.affinity === undefined ? [] : [layout.affinity.cluster, layout.affinity.local])];
  const own = elementsOfFamily(layout.family, options.nodeAddresses);
  return [
    // Adding first makes the deletion good also where there is nothing to delete.
    { kind: "addTable", table },
    { kind: "deleteTable", table },
    { kind: "addTable", table },
    ...all.map((set): Operation => ({ kind: "addSet", table, set })),
    ...(own.length === 0 ? [] : [{ kind: "addElements" as const, table, set: layout.nodeIPs, elements: own }]),
    ...chainsOf(layout, options).flatMap(({ name, base, rules }) => chainOperations(table, name, rules, base)),
  ];
}

export function chainOperations(table: Table, chain: string, rules: readonly (readonly Statement[])[], base?: BaseHook): Operation[] {
  return [
    { kind: "addChain", table, chain, ...(base === undefined ? {} : { base }) },
    ...rules.map((statements): Operation => ({ kind: "addRule", table, chain, statements })),
  ];
}

interface Chain {
  readonly name: string;
  readonly base?: BaseHook;
  readonly rules: readonly (readonly Statement[])[];
}

function chainsOf(layout: FamilyLayout, { serviceCIDRs }: BaseOptions): readonly Chain[] {
  const jump: Statement = { kind: "verdict", verdict: { kind: "jump", chain: servicesChain } };
  return [
    // ECONNREFUSED at once, for TCP as from a host on which nothing listens.
    { name: refuseChain, rules: [[{ kind: "reject", with: "tcp reset" }], [{ kind: "reject", with: "port-unreachable" }]] },
    { name: dropChain, rules: [[{ kind: "verdict", verdict: { kind: "drop" } }]] },
    { name: servicesChain, rules: serviceRules(layout, serviceCIDRs) },
    { name: "nat-prerouting", base: { type: "nat", hook: "prerouting", priority: -100 }, rules: [[jump]] },
    { name: "nat-output", base: { type: "nat", hook: "output", priority: -100 }, rules: [[jump]] },
    { name: "nat-postrouting", base: { type: "nat", hook: "postrouting", priority: 100 }, rules: masqueradeRules(layout) },
  ];
}

/** The Services' ranges are others now. */
export function changeRanges(layout: FamilyLayout, serviceCIDRs: readonly string[]): readonly Operation[] {
  const { table } = layout;
  return [
    { kind: "flushChain", table, chain: servicesChain },
    ...serviceRules(layout, serviceCIDRs).map((statements): Operation => ({ kind: "addRule", table, chain: servicesChain, statements })),
  ];
}

const servicesChain = "services";

function serviceRules(
  { family, destination, services, classes, clusterIPs }: FamilyLayout,
  serviceCIDRs: readonly string[],
): Statement[][] {
  return [
    [
      { kind: "setMark", to: { kind: "map", key: [destination, "meta l4proto", "th dport"], map: services.name } },
      { kind: "dispatch", key: ["meta mark"], map: classes.name },
    ],
    // A Service's address has no other ports, and an address in the range that no Service has leads nowhere: as upstream's
    // cluster-ips-check chain (pkg/proxy/nftables/proxier.go), which sits in the filter hooks; here the first packet decides.
    [
      { kind: "inSet", key: [destination], set: clusterIPs.name },
      { kind: "verdict", verdict: { kind: "goto", chain: refuseChain } },
    ],
    ...serviceCIDRs
      .filter((cidr) => parseCidr(cidr)?.family === family)
      .map((cidr): Statement[] => [
        { kind: "match", field: destination, operator: "==", value: cidr },
        { kind: "verdict", verdict: { kind: "drop" } },
      ]),
  ];
}

function masqueradeRules({ source, destination, hairpin }: FamilyLayout): Statement[][] {
  return [
    [{ kind: "inSet", key: [source, destination], set: hairpin.name }, { kind: "masquerade" }],
    [{ kind: "bitsSet", field: "ct mark", bits: masqueradeBit }, { kind: "masquerade" }],
  ];
}

export function elementsOfFamily(family: IpFamily, addresses: readonly string[]): Element[] {
  return [...new Set(addresses)].filter((address) => address.includes(":") === (family === 6)).map((address) => ({ key: [address] }));
}
