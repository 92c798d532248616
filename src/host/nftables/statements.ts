/**
 * A rule's statements as expressions, with the registers that `nft` itself would choose: then `nft list` reads them back.
 * A concatenation takes consecutive words of 4 bytes from the first register on.
 */
import { parseCidr, type Cidr } from "../../lib/ip.ts";
import {
  fieldTypes,
  protocolNumbers,
  protocolOf,
  unknownStatement,
  type Atom,
  type Field,
  type Statement,
  type TableFamily,
  type Verdict,
} from "../../lib/nftables/ruleset.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import { encodeAtom, encodeAtoms, sizeOf, widthOf } from "./atoms.ts";
import * as c from "./constants.ts";
import * as expression from "./expressions.ts";

export function writeStatements(writer: NetlinkWriter, family: TableFamily, statements: readonly Statement[]): void {
  let protocol: string | undefined;
  for (const statement of statements) {
    const needed = protocolOf(statement);
    if (needed !== undefined && needed !== protocol) {
      expression.metaLoad(writer, c.NFT_META_L4PROTO, c.NFT_REG_1);
      expression.compare(writer, c.NFT_REG_1, c.NFT_CMP_EQ, Uint8Array.of(protocolNumbers[needed] as number));
      protocol = needed;
    }
    writeStatement(writer, family, statement);
  }
}

const interfaceNameBytes = 16;

/** A whole name is compared with its padding, a beginning without. */
function writeFromInterface(writer: NetlinkWriter, name: string, prefix: boolean): void {
  const bytes = new TextEncoder().encode(name);
  const whole = new Uint8Array(interfaceNameBytes);
  whole.set(bytes);
  expression.metaLoad(writer, c.NFT_META_IIFNAME, first);
  expression.compare(writer, first, c.NFT_CMP_EQ, prefix ? bytes : whole);
}

/** The register of the n-th word; at multiples of four `nft` uses the names of the registers of 16 bytes. */
function register(word: number): number {
  return word % 4 === 0 ? c.NFT_REG_1 + word / 4 : c.NFT_REG32_00 + word;
}

const nfproto = (family: TableFamily) => (family === "ip" ? c.NFPROTO_IPV4 : c.NFPROTO_IPV6);
const first = register(0);

function writeStatement(writer: NetlinkWriter, family: TableFamily, statement: Statement): void {
  switch (statement.kind) {
    case "match":
      return writeMatch(writer, statement.field, statement.operator === "==" ? c.NFT_CMP_EQ : c.NFT_CMP_NEQ, statement.value);
    case "inRange": {
      load(writer, [statement.field]);
      expression.compare(writer, first, c.NFT_CMP_GTE, encodeAtom(statement.from, "inet_service"));
      return expression.compare(writer, first, c.NFT_CMP_LTE, encodeAtom(statement.to, "inet_service"));
    }
    case "established": {
      const bits = Uint8Array.from(encodeAtoms([c.NF_CT_STATE_ESTABLISHED | c.NF_CT_STATE_RELATED], ["mark"]));
      expression.ctLoad(writer, c.NFT_CT_STATE, first);
      expression.bitwise(writer, first, first, bits, new Uint8Array(4));
      return expression.compare(writer, first, c.NFT_CMP_NEQ, new Uint8Array(4));
    }
    case "bitsSet": {
      load(writer, [statement.field]);
      const bits = Uint8Array.from(encodeAtoms([statement.bits], ["mark"]));
      expression.bitwise(writer, first, first, bits, new Uint8Array(4));
      return expression.compare(writer, first, c.NFT_CMP_EQ, bits);
    }
    case "inSet":
      load(writer, statement.key);
      return expression.lookup(writer, statement.set, first, undefined, statement.negated === true);
    case "noRoute":
      expression.routeExists(writer, first);
      // A whole word, else nft prints it as the prefix of an interface index.
      return expression.compare(writer, first, c.NFT_CMP_EQ, new Uint8Array(4));
    case "setBits": {
      load(writer, [statement.field]);
      const keep = Uint8Array.from(encodeAtoms([~statement.bits], ["mark"]));
      expression.bitwise(writer, first, first, keep, Uint8Array.from(encodeAtoms([statement.bits], ["mark"])));
      return expression.ctStore(writer, c.NFT_CT_MARK, first);
    }
    case "setMark":
      return writeSetMark(writer, statement.to);
    case "dispatch":
      load(writer, statement.key);
      return expression.lookup(writer, statement.map, first, c.NFT_REG_VERDICT);
    case "dnatByMap": {
      load(writer, statement.key);
      expression.lookup(writer, statement.map, first, first);
      return expression.dnat(writer, nfproto(family), first, register(family === "ip" ? 1 : 4));
    }
    case "dnat": {
      expression.immediate(writer, first, encodeAtom(statement.address, family === "ip" ? "ipv4_addr" : "ipv6_addr"));
      const port = register(family === "ip" ? 1 : 4);
      expression.immediate(writer, port, encodeAtom(statement.port, "inet_service"));
      return expression.dnat(writer, nfproto(family), first, port);
    }
    case "remember":
      return writeRemember(writer, statement);
    case "masquerade":
      return expression.masquerade(writer);
    case "fromInterface":
      return writeFromInterface(writer, statement.name, statement.prefix);
    case "notrack":
      return expression.notrack(writer);
    case "reject":
      return writeReject(writer, family, statement.with);
    case "verdict":
      return writeVerdict(writer, statement.verdict);
    default:
      return unknownStatement(statement);
  }
}

function writeSetMark(writer: NetlinkWriter, from: (Statement & { kind: "setMark" })["to"]): void {
  if (from.kind === "random") expression.numgenRandom(writer, from.modulus, from.offset, first);
  else {
    load(writer, from.key);
    expression.lookup(writer, from.map, first, first);
  }
  expression.metaStore(writer, c.NFT_META_MARK, first);
}

const dynsetOperations = { add: c.NFT_DYNSET_OP_ADD, update: c.NFT_DYNSET_OP_UPDATE, delete: c.NFT_DYNSET_OP_DELETE } as const;

/** `nft` begins the value in a register of its own. */
function writeRemember(writer: NetlinkWriter, { operation, map, key, value, timeoutSeconds = 0 }: Statement & { kind: "remember" }): void {
  const words = load(writer, key);
  const data = register(Math.ceil(words / 4) * 4);
  loadField(writer, value, data);
  expression.dynset(writer, map, dynsetOperations[operation], first, data, timeoutSeconds * 1000);
}

/** ICMP's codes: 3 port unreachable, 13 administratively prohibited; in ICMPv6 4 and 1. */
function writeReject(writer: NetlinkWriter, family: TableFamily, how: (Statement & { kind: "reject" })["with"]): void {
  if (how === "tcp reset") return expression.reject(writer, c.NFT_REJECT_TCP_RST, 0);
  const codes = family === "ip" ? { "port-unreachable": 3, "admin-prohibited": 13 } : { "port-unreachable": 4, "admin-prohibited": 1 };
  expression.reject(writer, c.NFT_REJECT_ICMP_UNREACH, codes[how]);
}

function writeVerdict(writer: NetlinkWriter, verdict: Verdict): void {
  expression.verdict(writer, verdictCode(verdict), "chain" in verdict ? verdict.chain : undefined);
}

export function verdictCode(verdict: Verdict): number {
  return { accept: c.NF_ACCEPT, drop: c.NF_DROP, jump: c.NFT_JUMP, goto: c.NFT_GOTO, return: c.NFT_RETURN }[verdict.kind];
}

/** Loads a concatenation from the first register on; how many words it takes. */
function load(writer: NetlinkWriter, key: readonly Field[]): number {
  let word = 0;
  for (const field of key) {
    loadField(writer, field, register(word));
    word += sizeOf(fieldTypes[field]) / 4;
  }
  return word;
}

/** Offsets of the IPv4, IPv6 and TCP/UDP/SCTP headers (RFC 791 3.1, RFC 8200 3, RFC 9293 3.1). */
function loadField(writer: NetlinkWriter, field: Field, into: number, bytes?: number): void {
  const network = (offset: number, length: number) =>
    expression.payload(writer, c.NFT_PAYLOAD_NETWORK_HEADER, offset, bytes ?? length, into);
  switch (field) {
    case "ip saddr":
      return network(12, 4);
    case "ip daddr":
      return network(16, 4);
    case "ip6 saddr":
      return network(8, 16);
    case "ip6 daddr":
      return network(24, 16);
    case "tcp dport":
    case "udp dport":
    case "sctp dport":
    case "th dport":
      return expression.payload(writer, c.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, into);
    case "meta l4proto":
      return expression.metaLoad(writer, c.NFT_META_L4PROTO, into);
    case "meta mark":
      return expression.metaLoad(writer, c.NFT_META_MARK, into);
    case "ct mark":
      return expression.ctLoad(writer, c.NFT_CT_MARK, into);
    default:
      return field satisfies never;
  }
}

function writeMatch(writer: NetlinkWriter, field: Field, operator: number, value: Atom): void {
  const type = fieldTypes[field];
  const cidr = typeof value === "string" && value.includes("/") ? parseCidr(value) : undefined;
  if (cidr === undefined) {
    loadField(writer, field, first);
    return expression.compare(writer, first, operator, encodeAtom(value, type));
  }
  const address = encodeAtom(String(value).slice(0, String(value).indexOf("/")), type);
  // A prefix of whole bytes is compared as such, another one under a mask: as nft does.
  if (cidr.bits > 0 && cidr.bits % 8 === 0) {
    loadField(writer, field, first, cidr.bits / 8);
    return expression.compare(writer, first, operator, address.subarray(0, cidr.bits / 8));
  }
  loadField(writer, field, first);
  expression.bitwise(writer, first, first, maskOf(cidr, widthOf(type)), new Uint8Array(widthOf(type)));
  expression.compare(writer, first, operator, address);
}

function maskOf({ bits }: Cidr, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, i) => (0xff00 >> Math.min(8, Math.max(0, bits - i * 8))) & 0xff);
}
