/**
 * The way out of the cluster's network where there is no route: connections to what is not the cluster's are led to a listener in
 * the namespace that the packets pass, which learns where they wanted to go (SO_ORIGINAL_DST, `conntrack/`) and carries them on.
 * By DNAT to a given address, not REDIRECT: that takes an address of the interface on which the packet comes, and links between
 * namespaces have none.
 */
import type { BaseHook, Operation, Statement, TableFamily } from "../../lib/nftables/ruleset.ts";
import type { Nftables } from "./nftables.ts";

export interface EgressListener {
  /** An address of the namespace. */
  readonly address: string;
  readonly port: number;
}

export interface EgressOptions {
  /** One listener per family at most; a family without is left alone. */
  readonly tcp: readonly EgressListener[];
  readonly udp: readonly EgressListener[];
  /** Addresses that stand for the machine: led to the listeners although they are in the cluster's ranges. */
  readonly hostAddresses: readonly string[];
  /** Of servers in this very namespace: left alone. (No route leads to them: they are here.) */
  readonly ownAddresses?: readonly string[];
  /** Pods, Services, nodes: left to routing. */
  readonly clusterCIDRs: readonly string[];
}

export const egressTableName = "fairlead-egress";

/** Installs the rules, in place of those of an earlier call. One transaction. */
export function installEgress(nftables: Nftables, options: EgressOptions): void {
  nftables.commit(egressOperations(options));
}

export function egressOperations(options: EgressOptions): readonly Operation[] {
  return (["ip", "ip6"] as const).flatMap((family) => familyOperations(family, options));
}

/** Nobody's: this host, link-local, documentation of "none"; a datagram to many gets no answer, so it is dropped (RFC 1122 3.2.2). */
const neverOut: Readonly<
  Record<TableFamily, { readonly refuse: readonly string[]; readonly drop: readonly string[]; readonly pass: readonly string[] }>
> = {
  ip: { refuse: ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16"], drop: ["224.0.0.0/4", "240.0.0.0/4"], pass: [] },
  // Link-local packets are this link's own affair and are never forwarded.
  ip6: { refuse: ["::/128", "::1/128", "::ffff:0:0/96"], drop: ["ff00::/8"], pass: ["fe80::/10"] },
};

function familyOperations(family: TableFamily, { tcp, udp, hostAddresses, ownAddresses = [], clusterCIDRs }: EgressOptions): Operation[] {
  const isOf = (address: string) => address.includes(":") === (family === "ip6");
  const table = { family, name: egressTableName };
  const listeners = (["tcp", "udp"] as const).flatMap((protocol) => {
    const found = { tcp, udp }[protocol].find(({ address }) => isOf(address));
    return found === undefined ? [] : [outwards(protocol, found)];
  });
  if (listeners.length === 0) return [];
  const to = (value: string, ...then: Statement[]): Statement[] => [
    { kind: "match", field: family === "ip" ? "ip daddr" : "ip6 daddr", operator: "==", value },
    ...then,
  ];
  const { refuse, drop, pass } = neverOut[family];
  const refused: Statement = { kind: "verdict", verdict: { kind: "goto", chain: refuseChain } };
  const accepted: Statement = { kind: "verdict", verdict: { kind: "accept" } };
  const rules: Statement[][] = [
    ...hostAddresses.filter(isOf).flatMap((address) => listeners.map((statements) => to(address, ...statements))),
    ...[...ownAddresses.filter(isOf), ...pass].map((destination) => to(destination, accepted)),
    // An address of the cluster's that nobody has: its packets come here because no better route leads to it.
    ...clusterCIDRs.filter(isOf).flatMap((cidr) => [to(cidr, { kind: "noRoute" }, refused), to(cidr, accepted)]),
    ...drop.map((cidr) => to(cidr, { kind: "verdict", verdict: { kind: "drop" } })),
    ...refuse.map((cidr) => to(cidr, refused)),
    ...listeners,
    // Ping and the rest are not carried: say so at once.
    [refused],
  ];
  return [
    // Adding first makes the deletion good also where there is nothing to delete.
    { kind: "addTable", table },
    { kind: "deleteTable", table },
    { kind: "addTable", table },
    ...chainOperations(refuseChain, refuseRules),
    ...chainOperations("nat-prerouting", rules, { type: "nat", hook: "prerouting", priority: -100 }),
  ];

  function chainOperations(chain: string, statements: readonly (readonly Statement[])[], base?: BaseHook): Operation[] {
    return [
      { kind: "addChain", table, chain, ...(base === undefined ? {} : { base }) },
      ...statements.map((rule): Operation => ({ kind: "addRule", table, chain, statements: rule })),
    ];
  }
}

const refuseChain = "refuse";
/** A reset for TCP: a client on the same machine takes an ICMP error for a passing one, and tries again for a second. */
const refuseRules: readonly (readonly Statement[])[] = [
  [{ kind: "reject", with: "tcp reset" }],
  [{ kind: "reject", with: "admin-prohibited" }],
];

function outwards(protocol: "tcp" | "udp", { address, port }: EgressListener): Statement[] {
  return [
    { kind: "match", field: "meta l4proto", operator: "==", value: protocol },
    { kind: "dnat", address, port },
  ];
}
