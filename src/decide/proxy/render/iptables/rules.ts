/**
 * iptables rules as plain data: as much of the language as kube-proxy's rules need. Printed by `text.ts`, walked through by a
 * packet in `evaluate.ts`; the semantics are those of iptables-extensions(8).
 */
import type { IpFamily } from "../../../../lib/ip.ts";

export type TableName = "filter" | "nat";

/** What a packet must be; in the order in which they are printed and asked. */
export type Match =
  | { readonly kind: "comment"; readonly text: string }
  /** `-m tcp -p tcp`; `bare`: `-p tcp`, which needs no module of the protocol's own (xt_sctp is often left out). */
  | { readonly kind: "protocol"; readonly protocol: TransportProtocol; readonly bare?: boolean }
  | { readonly kind: "source" | "destination"; readonly cidr: string; readonly negated?: boolean }
  | { readonly kind: "destinationPort"; readonly port: number }
  /** Whether an address of the packet is one of the node's own, loopback among them. */
  | { readonly kind: "localAddress"; readonly side: "source" | "destination"; readonly negated?: boolean }
  /** All bits of `bits` set in the packet's mark. */
  | { readonly kind: "mark"; readonly bits: number; readonly negated?: boolean }
  | { readonly kind: "conntrack"; readonly states: readonly ConntrackState[]; readonly negated?: boolean }
  | { readonly kind: "random"; readonly probability: string }
  /** Whether the client is in the list since less than `seconds`; `--reap` forgets those who are longer there. */
  | { readonly kind: "recentCheck"; readonly list: string; readonly seconds: number }
  /** Matches always, and puts the client into the list. */
  | { readonly kind: "recentSet"; readonly list: string }
  /** Whether an ipset holds these parts of the packet: an address, or a port where the set has one at that place. */
  | { readonly kind: "set"; readonly name: string; readonly sides: readonly ("src" | "dst")[] }
  /** A packet that IPVS sends on, by the virtual server that it came for. */
  | { readonly kind: "virtualServer"; readonly address: string; readonly protocol: TransportProtocol; readonly port: number }
  /** By which interface the packet came, or with `prefix` one whose name begins so. */
  | { readonly kind: "fromInterface"; readonly name: string; readonly prefix: boolean; readonly negated?: boolean }
  /** Whether the packet came in by a port of a bridge. */
  | { readonly kind: "bridged"; readonly negated?: boolean };

export type TransportProtocol = "tcp" | "udp" | "sctp";
export type ConntrackState = "INVALID" | "NEW" | "ESTABLISHED" | "RELATED" | "DNAT";

export type Target =
  | { readonly kind: "jump"; readonly chain: string }
  | { readonly kind: "accept" | "drop" | "reject" | "return" }
  | { readonly kind: "orMark" | "xorMark"; readonly bits: number }
  | { readonly kind: "masquerade"; readonly randomFully: boolean }
  | { readonly kind: "dnat"; readonly ip: string; readonly port: number };

export interface Rule {
  readonly matches: readonly Match[];
  /** Absent: the rule only counts. */
  readonly target?: Target;
}

export interface Chain {
  readonly name: string;
  readonly rules: readonly Rule[];
}

/** A rule in a chain of the kernel's that leads to one of ours. */
export interface Jump {
  readonly table: TableName;
  readonly from: BaseChain;
  readonly rule: Rule;
}

export type BaseChain = "PREROUTING" | "INPUT" | "FORWARD" | "OUTPUT" | "POSTROUTING";

export interface IptablesTable {
  /** The chains that all Services share. */
  readonly shared: readonly Chain[];
  /** Those of one Service port each (`KUBE-SVC-…` and the like); none in `filter`. The same object as long as nothing changed. */
  readonly services: readonly (readonly Chain[])[];
}

/** All rules of one address family. */
export interface IptablesRules {
  readonly family: IpFamily;
  readonly jumps: readonly Jump[];
  readonly tables: Readonly<Record<TableName, IptablesTable>>;
}

export function chainsOf({ shared, services }: IptablesTable): readonly Chain[] {
  return [...shared, ...services.flat()];
}

export function countRules(table: IptablesTable): number {
  return chainsOf(table).reduce((sum, { rules }) => sum + rules.length, 0);
}
