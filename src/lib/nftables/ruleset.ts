/**
 * A part of the nftables language as plain data: what Fairlead's rules are made of, and nothing more. Renderers build it,
 * `text.ts` prints it, `host/nftables` sends it to the kernel, `model.ts` and `evaluate.ts` stand in for the kernel.
 * Each form is one that `nft` 1.0.6 can print and read back (nft(8)); netlink could say more, but then `nft list` aborts.
 */

export type TableFamily = "ip" | "ip6";

export interface Table {
  readonly family: TableFamily;
  readonly name: string;
}

/** A value that a rule can load, by its name in nft's language. */
export type Field =
  | "ip saddr"
  | "ip daddr"
  | "ip6 saddr"
  | "ip6 daddr"
  | "tcp dport"
  | "udp dport"
  | "sctp dport"
  | "th dport"
  | "meta l4proto"
  | "meta mark"
  | "ct mark";

export type DataType = "ipv4_addr" | "ipv6_addr" | "inet_proto" | "inet_service" | "mark";

/** An address in canonical text, a protocol's name, a port or a mark. */
export type Atom = string | number;

export type Verdict = { readonly kind: "accept" | "drop" | "return" } | { readonly kind: "jump" | "goto"; readonly chain: string };

export type SetFlag = "dynamic" | "timeout";

/** A set, or with `value` a map. */
export interface SetDeclaration {
  readonly name: string;
  readonly key: readonly DataType[];
  readonly value?: readonly DataType[] | "verdict";
  readonly flags?: readonly SetFlag[];
  /** The most elements it may have; needed where packets add them. */
  readonly size?: number;
}

export interface Element {
  readonly key: readonly Atom[];
  readonly value?: readonly Atom[] | Verdict;
  readonly comment?: string;
}

export interface BaseHook {
  readonly type: "nat" | "filter";
  readonly hook: "prerouting" | "input" | "forward" | "output" | "postrouting";
  readonly priority: number;
}

export type Statement =
  /** `value`: an atom of the field's type, or for an address a CIDR. */
  | { readonly kind: "match"; readonly field: Field; readonly operator: "==" | "!="; readonly value: Atom }
  /** From `from` to `to`, both included. */
  | { readonly kind: "inRange"; readonly field: "tcp dport" | "udp dport" | "sctp dport"; readonly from: number; readonly to: number }
  /** Of a connection that was let pass before, in either direction, or about one (an ICMP error). */
  | { readonly kind: "established" }
  /** Whether all `bits` of the field are set. */
  | { readonly kind: "bitsSet"; readonly field: "ct mark"; readonly bits: number }
  | { readonly kind: "inSet"; readonly key: readonly Field[]; readonly set: string; readonly negated?: boolean }
  /** Whether no route leads to the destination. */
  | { readonly kind: "noRoute" }
  | { readonly kind: "setMark"; readonly to: MarkSource }
  | { readonly kind: "setBits"; readonly field: "ct mark"; readonly bits: number }
  /** To where the map says; no element: the next rule. */
  | { readonly kind: "dispatch"; readonly key: readonly Field[]; readonly map: string }
  /** To the address and port that the map says; no element: the next rule. */
  | { readonly kind: "dnatByMap"; readonly key: readonly Field[]; readonly map: string }
  | { readonly kind: "dnat"; readonly address: string; readonly port: number }
  /** Changes a dynamic map. `delete` of what is not there, and `add` to a full map, end the rule. */
  | {
      readonly kind: "remember";
      readonly operation: "add" | "update" | "delete";
      readonly map: string;
      readonly key: readonly Field[];
      readonly value: "meta mark";
      readonly timeoutSeconds?: number;
    }
  | { readonly kind: "masquerade" }
  /** The packet is no part of any connection that is tracked. Before tracking only: priority below -200. */
  | { readonly kind: "notrack" }
  /** By which interface the packet came, or with `prefix` one whose name begins so; what the node sends has come by none. */
  | { readonly kind: "fromInterface"; readonly name: string; readonly prefix: boolean }
  | { readonly kind: "reject"; readonly with: "tcp reset" | "port-unreachable" | "admin-prohibited" }
  | { readonly kind: "verdict"; readonly verdict: Verdict };

export type MarkSource =
  | { readonly kind: "map"; readonly key: readonly Field[]; readonly map: string }
  /** `offset` … `offset + modulus - 1`. */
  | { readonly kind: "random"; readonly modulus: number; readonly offset: number };

/** One step of a transaction. All steps of a transaction take effect at once, or none. */
export type Operation =
  | { readonly kind: "addTable"; readonly table: Table }
  | { readonly kind: "deleteTable"; readonly table: Table }
  | { readonly kind: "addChain"; readonly table: Table; readonly chain: string; readonly base?: BaseHook }
  /** With its rules; nothing may lead to it any more. */
  | { readonly kind: "deleteChain"; readonly table: Table; readonly chain: string }
  | { readonly kind: "addSet"; readonly table: Table; readonly set: SetDeclaration }
  /** With its elements; no rule may name it any more. */
  | { readonly kind: "deleteSet"; readonly table: Table; readonly set: SetDeclaration }
  /** Its rules go, it stays. */
  | { readonly kind: "flushChain"; readonly table: Table; readonly chain: string }
  | { readonly kind: "addRule"; readonly table: Table; readonly chain: string; readonly statements: readonly Statement[] }
  | { readonly kind: "addElements"; readonly table: Table; readonly set: SetDeclaration; readonly elements: readonly Element[] }
  | { readonly kind: "deleteElements"; readonly table: Table; readonly set: SetDeclaration; readonly elements: readonly Element[] };

/** What a field's value is. */
export const fieldTypes: Readonly<Record<Field, DataType>> = {
  "ip saddr": "ipv4_addr",
  "ip daddr": "ipv4_addr",
  "ip6 saddr": "ipv6_addr",
  "ip6 daddr": "ipv6_addr",
  "tcp dport": "inet_service",
  "udp dport": "inet_service",
  "sctp dport": "inet_service",
  "th dport": "inet_service",
  "meta l4proto": "inet_proto",
  "meta mark": "mark",
  "ct mark": "mark",
};

function impliedProtocol(field: Field): "tcp" | "udp" | "sctp" | undefined {
  switch (field) {
    case "tcp dport":
      return "tcp";
    case "udp dport":
      return "udp";
    case "sctp dport":
      return "sctp";
    default:
      return undefined;
  }
}

/** The protocol that a statement is about: nft matches it before the rule's first such statement, and prints nothing. */
export function protocolOf(statement: Statement): "tcp" | "udp" | "sctp" | undefined {
  if (statement.kind === "reject") return statement.with === "tcp reset" ? "tcp" : undefined;
  for (const field of fieldsOf(statement)) {
    const protocol = impliedProtocol(field);
    if (protocol !== undefined) return protocol;
  }
  return undefined;
}

/** IANA protocol numbers, for those that are named here. */
export const protocolNumbers: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, sctp: 132, "ipv6-icmp": 58 };

/** The fields of a statement in the order in which they are loaded. */
export function fieldsOf(statement: Statement): readonly Field[] {
  switch (statement.kind) {
    case "match":
    case "inRange":
    case "bitsSet":
    case "setBits":
      return [statement.field];
    case "inSet":
    case "dispatch":
    case "dnatByMap":
    case "remember":
      return statement.key;
    case "setMark":
      return statement.to.kind === "map" ? statement.to.key : [];
    case "established":
    case "noRoute":
    case "dnat":
    case "masquerade":
    case "notrack":
    case "fromInterface":
    case "reject":
    case "verdict":
      return [];
    default:
      return unknownStatement(statement);
  }
}

export function unknownStatement(statement: never): never {
  throw new TypeError(`no such nftables statement: ${JSON.stringify(statement)}`);
}
