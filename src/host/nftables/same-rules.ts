/**
 * Whether a rule in the kernel is the one that we would send: whatever of ours must be in its answer, which adds what it has filled in.
 */
import type { Statement, Table } from "../../lib/nftables/ruleset.ts";
import { eachAttribute, readAttributes, readU32be } from "../netlink/reader.ts";
import { NetlinkWriter } from "../netlink/writer.ts";
import * as c from "./constants.ts";
import { text } from "./read-attributes.ts";
import { writeStatements } from "./statements.ts";

export function isSameRule(found: Uint8Array, table: Table, rule: readonly Statement[]): boolean {
  return holds(found, expressionsOf(table, rule));
}

/** The rule's expressions as we would send them. */
function expressionsOf(table: Table, rule: readonly Statement[]): Uint8Array {
  const writer = new NetlinkWriter();
  writer.message(0, 0);
  const nest = writer.beginNest(c.NFTA_RULE_EXPRESSIONS);
  writeStatements(writer, table.family, rule);
  writer.endNest(nest);
  return writer.finish().subarray(16 + 4);
}

interface Tree {
  readonly type: number;
  readonly value: Uint8Array;
}

const attributeList = (bytes: Uint8Array): Tree[] => {
  const list: Tree[] = [];
  eachAttribute(bytes, (type, value) => list.push({ type, value }));
  return list;
};

/** The same expressions in the same order, each with what the wanted one has. */
function holds(kernel: Uint8Array, wanted: Uint8Array): boolean {
  const [got, want] = [attributeList(kernel), attributeList(wanted)];
  return got.length === want.length && want.every(({ value }, i) => sameExpression((got[i] as Tree).value, value));
}

function sameExpression(kernel: Uint8Array, wanted: Uint8Array): boolean {
  const [got, want] = [readAttributes(kernel), readAttributes(wanted)];
  const name = text(want, c.NFTA_EXPR_NAME);
  if (name !== text(got, c.NFTA_EXPR_NAME)) return false;
  const data = got.get(c.NFTA_EXPR_DATA) ?? new Uint8Array();
  return contains(name, data, want.get(c.NFTA_EXPR_DATA) ?? new Uint8Array());
}

function contains(name: string, kernel: Uint8Array, wanted: Uint8Array): boolean {
  const got = readAttributes(kernel);
  return attributeList(wanted).every(({ type, value }) => {
    const found = got.get(type);
    // With a TCP reset there is no code to tell.
    if (found === undefined) return name === "reject" && type === 2;
    if (registers[name]?.includes(type) === true) return wordOf(readU32be(found)) === wordOf(readU32be(value));
    return nested[name]?.includes(type) === true ? sameData(found, value) : sameBytes(found, value);
  });
}

/** NFTA_DATA_VALUE, or NFTA_DATA_VERDICT with its parts. */
function sameData(found: Uint8Array, wanted: Uint8Array): boolean {
  const got = readAttributes(found);
  return attributeList(wanted).every(({ type, value }) => {
    const data = got.get(type);
    if (data === undefined) return false;
    return type === c.NFTA_DATA_VERDICT ? sameParts(data, value) : sameBytes(data, value);
  });
}

function sameParts(found: Uint8Array, wanted: Uint8Array): boolean {
  const got = readAttributes(found);
  return attributeList(wanted).every(({ type, value }) => {
    const data = got.get(type);
    return data !== undefined && sameBytes(data, value);
  });
}

/** Attributes with data in them, by expression. */
const nested: Readonly<Record<string, readonly number[]>> = { cmp: [3], bitwise: [4, 5], immediate: [2] };

/** Attributes that name a register, by expression. */
const registers: Readonly<Record<string, readonly number[]>> = {
  payload: [1],
  meta: [1, 3],
  ct: [1, 4],
  lookup: [2, 3],
  cmp: [1],
  bitwise: [1, 2],
  immediate: [1],
  numgen: [1],
  nat: [3, 5],
  fib: [1],
  dynset: [4, 5],
};

/** The kernel writes a name with or without its NUL. */
function sameBytes(found: Uint8Array, wanted: Uint8Array): boolean {
  const trim = (bytes: Uint8Array) => (bytes.length > 4 && bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes);
  const [a, b] = found.length === wanted.length ? [found, wanted] : [trim(found), trim(wanted)];
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** A register of 16 bytes has a name of its own besides that of its first word. */
const wordOf = (register: number) => (register >= 1 && register <= 4 ? c.NFT_REG32_00 + (register - 1) * 4 : register);
