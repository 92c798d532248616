/**
 * One nf_tables expression each, as the kernel's virtual machine takes them: load into a register, compare, look up, act.
 * Register numbers as in `linux/netfilter/nf_tables.h`.
 */
import type { NetlinkWriter } from "../netlink/writer.ts";
import * as c from "./constants.ts";

function expression(writer: NetlinkWriter, name: string, content: (writer: NetlinkWriter) => void): void {
  writer.nest(c.NFTA_LIST_ELEM, (element) => element.attributeString(c.NFTA_EXPR_NAME, name).nest(c.NFTA_EXPR_DATA, content));
}

function value(writer: NetlinkWriter, type: number, bytes: Uint8Array): void {
  writer.nest(type, (data) => data.attributeBytes(c.NFTA_DATA_VALUE, bytes));
}

/** `base`: NFT_PAYLOAD_…_HEADER. */
export function payload(writer: NetlinkWriter, base: number, offset: number, length: number, register: number): void {
  expression(writer, "payload", (w) =>
    w.attributeU32be(1, register).attributeU32be(2, base).attributeU32be(3, offset).attributeU32be(4, length),
  );
}

export function metaLoad(writer: NetlinkWriter, key: number, register: number): void {
  expression(writer, "meta", (w) => w.attributeU32be(1, register).attributeU32be(2, key));
}

export function metaStore(writer: NetlinkWriter, key: number, register: number): void {
  expression(writer, "meta", (w) => w.attributeU32be(2, key).attributeU32be(3, register));
}

export function ctLoad(writer: NetlinkWriter, key: number, register: number): void {
  expression(writer, "ct", (w) => w.attributeU32be(1, register).attributeU32be(2, key));
}

export function ctStore(writer: NetlinkWriter, key: number, register: number): void {
  expression(writer, "ct", (w) => w.attributeU32be(2, key).attributeU32be(4, register));
}

/** `into` undefined: a set, only asked whether it has the key. */
export function lookup(writer: NetlinkWriter, set: string, key: number, into: number | undefined, negated = false): void {
  expression(writer, "lookup", (w) => {
    w.attributeString(1, set).attributeU32be(2, key);
    if (into !== undefined) w.attributeU32be(3, into);
    if (negated) w.attributeU32be(5, c.NFT_LOOKUP_F_INV);
  });
}

export function compare(writer: NetlinkWriter, register: number, operator: number, bytes: Uint8Array): void {
  expression(writer, "cmp", (w) => {
    w.attributeU32be(1, register).attributeU32be(2, operator);
    value(w, 3, bytes);
  });
}

/** `into = (from & mask) ^ xor`, all of the mask's length. */
export function bitwise(writer: NetlinkWriter, from: number, into: number, mask: Uint8Array, xor: Uint8Array): void {
  expression(writer, "bitwise", (w) => {
    w.attributeU32be(1, from).attributeU32be(2, into).attributeU32be(3, mask.length);
    value(w, 4, mask);
    value(w, 5, xor);
  });
}

export function immediate(writer: NetlinkWriter, register: number, bytes: Uint8Array): void {
  expression(writer, "immediate", (w) => {
    w.attributeU32be(1, register);
    value(w, 2, bytes);
  });
}

export function numgenRandom(writer: NetlinkWriter, modulus: number, offset: number, register: number): void {
  expression(writer, "numgen", (w) => {
    w.attributeU32be(1, register).attributeU32be(2, modulus).attributeU32be(3, c.NFT_NG_RANDOM).attributeU32be(4, offset);
  });
}

export function dnat(writer: NetlinkWriter, family: number, address: number, port: number): void {
  expression(writer, "nat", (w) => {
    w.attributeU32be(1, c.NFT_NAT_DNAT).attributeU32be(2, family).attributeU32be(3, address).attributeU32be(5, port);
    w.attributeU32be(7, c.NF_NAT_RANGE_MAP_IPS | c.NF_NAT_RANGE_PROTO_SPECIFIED);
  });
}

/** Whether a route leads to the destination, as one byte. */
export function routeExists(writer: NetlinkWriter, register: number): void {
  const flags = c.NFTA_FIB_F_DADDR | c.NFTA_FIB_F_PRESENT;
  expression(writer, "fib", (w) => w.attributeU32be(1, register).attributeU32be(2, c.NFT_FIB_RESULT_OIF).attributeU32be(3, flags));
}

/** The source port anew as well, so that two clients do not get the same one by chance. */
export function masquerade(writer: NetlinkWriter): void {
  expression(writer, "masq", (w) => w.attributeU32be(1, c.NF_NAT_RANGE_PROTO_RANDOM_FULLY));
}

export function notrack(writer: NetlinkWriter): void {
  expression(writer, "notrack", () => undefined);
}

export function reject(writer: NetlinkWriter, type: number, code: number): void {
  expression(writer, "reject", (w) => w.attributeU32be(1, type).attributeU8(2, code));
}

/** `timeoutMs` 0: the set's own. */
export function dynset(writer: NetlinkWriter, set: string, operation: number, key: number, data: number, timeoutMs: number): void {
  expression(writer, "dynset", (w) => {
    w.attributeString(1, set).attributeU32be(3, operation).attributeU32be(4, key).attributeU32be(5, data);
    if (timeoutMs > 0) w.attributeU64be(6, BigInt(timeoutMs));
  });
}

export function verdict(writer: NetlinkWriter, code: number, chain: string | undefined): void {
  expression(writer, "immediate", (w) => {
    w.attributeU32be(1, c.NFT_REG_VERDICT).nest(2, (data) => verdictData(data, code, chain));
  });
}

export function verdictData(writer: NetlinkWriter, code: number, chain: string | undefined): void {
  writer.nest(c.NFTA_DATA_VERDICT, (w) => {
    w.attributeU32be(c.NFTA_VERDICT_CODE, code);
    if (chain !== undefined) w.attributeString(c.NFTA_VERDICT_CHAIN, chain);
  });
}
