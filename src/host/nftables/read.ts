/**
 * Reads a table back from the kernel. Rules are compared as expressions: whatever of a rule we would send must be in the kernel's answer,
 * which adds what it has filled in.
 */
import type { TableListing } from "../../lib/nftables/listing.ts";
import {
  protocolNumbers,
  type BaseHook,
  type DataType,
  type SetDeclaration,
  type Statement,
  type Table,
} from "../../lib/nftables/ruleset.ts";
import { eachAttribute, readAttributes, readString, readU32be, type NetlinkMessage } from "../netlink/reader.ts";
import { dumpSlowly, type NetlinkSocket } from "../netlink/socket.ts";
import { NetlinkWriter } from "../netlink/writer.ts";
import { sizeOf, typeNumber } from "./atoms.ts";
import * as c from "./constants.ts";
import { hookNumbers, writeList, type Listed } from "./messages.ts";
import { writeStatements } from "./statements.ts";

interface ReadChain {
  readonly hook: BaseHook | undefined;
  readonly rules: Uint8Array[];
}

interface ReadSet {
  readonly flags: number;
  readonly keyType: number;
  readonly dataType: number;
  readonly size: number;
  readonly elements: Map<string, string>;
}

/** `pause` is awaited between the parts of the lists. Throws EINTR where somebody changed the table meanwhile. */
export async function readTable(
  socket: NetlinkSocket,
  writer: NetlinkWriter,
  table: Table,
  pause: () => Promise<void>,
): Promise<TableListing> {
  const chains = new Map<string, ReadChain>();
  const sets = new Map<string, ReadSet>();
  const list = (what: Listed, use: (attributes: ReadonlyMap<number, Uint8Array>) => void, set?: string) =>
    dumpSlowly(
      socket,
      writer,
      (w) => writeList(w, table, what, set),
      (messages) => {
        for (const message of messages) use(attributesOf(message));
      },
      pause,
    );
  await list("chains", (attributes) => {
    if (text(attributes, c.NFTA_CHAIN_TABLE) === table.name)
      chains.set(text(attributes, c.NFTA_CHAIN_NAME), { hook: hookOf(attributes), rules: [] });
  });
  await list("rules", (attributes) => {
    const rule = attributes.get(c.NFTA_RULE_EXPRESSIONS) ?? new Uint8Array();
    if (text(attributes, c.NFTA_RULE_TABLE) === table.name) chains.get(text(attributes, c.NFTA_RULE_CHAIN))?.rules.push(rule);
  });
  await list("sets", (attributes) => {
    if (text(attributes, c.NFTA_SET_TABLE) === table.name) sets.set(text(attributes, c.NFTA_SET_NAME), setOf(attributes));
  });
  for (const [name, set] of sets) {
    if ((set.flags & c.NFT_SET_EVAL) !== 0) continue;
    const types = { key: typesOf(set.keyType), value: set.dataType === c.NFT_DATA_VERDICT ? ("verdict" as const) : typesOf(set.dataType) };
    // Of types that are not ours: whoever made it, the set is not the same.
    if (types.key === undefined || types.value === undefined) continue;
    const decode = elementDecoder(types.key, types.value);
    await list("elements", (attributes) => decode(attributes, set.elements), name);
  }
  return new KernelListing(table, chains, sets);
}

class KernelListing implements TableListing {
  readonly #table: Table;
  readonly #chains: ReadonlyMap<string, ReadChain>;
  readonly #sets: ReadonlyMap<string, ReadSet>;

  constructor(table: Table, chains: ReadonlyMap<string, ReadChain>, sets: ReadonlyMap<string, ReadSet>) {
    this.#table = table;
    this.#chains = chains;
    this.#sets = sets;
  }

  get chains(): Iterable<string> {
    return this.#chains.keys();
  }

  get sets(): Iterable<string> {
    return this.#sets.keys();
  }

  sameHook(chain: string, base: BaseHook | undefined): boolean | undefined {
    const found = this.#chains.get(chain);
    return found === undefined ? undefined : JSON.stringify(found.hook) === JSON.stringify(base);
  }

  sameRules(chain: string, rules: readonly (readonly Statement[])[]): boolean {
    const found = this.#chains.get(chain)?.rules ?? [];
    return found.length === rules.length && rules.every((rule, i) => holds(found[i] as Uint8Array, expressionsOf(this.#table, rule)));
  }

  sameSet(declaration: SetDeclaration): boolean | undefined {
    const found = this.#sets.get(declaration.name);
    if (found === undefined) return undefined;
    const { key, value, flags = [], size = 0 } = declaration;
    const wanted = (flags.includes("dynamic") ? c.NFT_SET_EVAL : 0) | (flags.includes("timeout") ? c.NFT_SET_TIMEOUT : 0);
    const known = c.NFT_SET_MAP | c.NFT_SET_EVAL | c.NFT_SET_TIMEOUT;
    return (
      (found.flags & known) === (wanted | (value === undefined ? 0 : c.NFT_SET_MAP)) &&
      found.keyType === typeCode(key) &&
      found.dataType === (value === undefined ? 0 : value === "verdict" ? c.NFT_DATA_VERDICT : typeCode(value)) &&
      found.size === size
    );
  }

  elements(set: string): ReadonlyMap<string, string> {
    return this.#sets.get(set)?.elements ?? new Map();
  }
}

function attributesOf({ payload }: NetlinkMessage): ReadonlyMap<number, Uint8Array> {
  return readAttributes(payload.subarray(4));
}

function text(attributes: ReadonlyMap<number, Uint8Array>, type: number): string {
  const found = attributes.get(type);
  return found === undefined ? "" : readString(found);
}

function number(attributes: ReadonlyMap<number, Uint8Array>, type: number): number {
  const found = attributes.get(type);
  return found === undefined ? 0 : readU32be(found);
}

function hookOf(attributes: ReadonlyMap<number, Uint8Array>): BaseHook | undefined {
  const hook = attributes.get(c.NFTA_CHAIN_HOOK);
  if (hook === undefined) return undefined;
  const parts = readAttributes(hook);
  const at = number(parts, c.NFTA_HOOK_HOOKNUM);
  const [name] = Object.entries(hookNumbers).find(([, one]) => one === at) ?? [];
  return {
    type: text(attributes, c.NFTA_CHAIN_TYPE) as BaseHook["type"],
    hook: name as BaseHook["hook"],
    priority: number(parts, c.NFTA_HOOK_PRIORITY) | 0,
  };
}

function setOf(attributes: ReadonlyMap<number, Uint8Array>): ReadSet {
  const desc = attributes.get(c.NFTA_SET_DESC);
  return {
    flags: number(attributes, c.NFTA_SET_FLAGS),
    keyType: number(attributes, c.NFTA_SET_KEY_TYPE),
    dataType: number(attributes, c.NFTA_SET_DATA_TYPE),
    size: desc === undefined ? 0 : number(readAttributes(desc), c.NFTA_SET_DESC_SIZE),
    elements: new Map(),
  };
}

const dataTypes: readonly DataType[] = ["ipv4_addr", "ipv6_addr", "inet_proto", "inet_service", "mark"];
const typeCode = (types: readonly DataType[]) => types.reduce((sum, type) => (sum << 6) | typeNumber(type), 0);

/** Six bits for each part; undefined: a type that is not ours. */
function typesOf(code: number): readonly DataType[] | undefined {
  const types: DataType[] = [];
  for (let rest = code; rest > 0; rest >>>= 6) {
    const type = dataTypes.find((one) => typeNumber(one) === (rest & 63));
    if (type === undefined) return undefined;
    types.unshift(type);
  }
  return types;
}

/** Adds each element of a message to the map. */
function elementDecoder(key: readonly DataType[], value: readonly DataType[] | "verdict") {
  return (attributes: ReadonlyMap<number, Uint8Array>, into: Map<string, string>): void => {
    const list = attributes.get(c.NFTA_SET_ELEM_LIST_ELEMENTS);
    if (list === undefined) return;
    eachAttribute(list, (_, element) => {
      const parts = readAttributes(element);
      const bytes = dataOf(parts.get(c.NFTA_SET_ELEM_KEY), c.NFTA_DATA_VALUE);
      if (bytes === undefined) return;
      const comment = commentOf(parts.get(c.NFTA_SET_ELEM_USERDATA));
      into.set(atomsText(bytes, key), `${valueText(parts.get(c.NFTA_SET_ELEM_DATA), value)}${comment === "" ? "" : ` "${comment}"`}`);
    });
  };
}

function dataOf(bytes: Uint8Array | undefined, type: number): Uint8Array | undefined {
  return bytes === undefined ? undefined : readAttributes(bytes).get(type);
}

function valueText(data: Uint8Array | undefined, types: readonly DataType[] | "verdict"): string {
  if (types !== "verdict") {
    const bytes = dataOf(data, c.NFTA_DATA_VALUE);
    return bytes === undefined ? "" : atomsText(bytes, types);
  }
  const verdict = dataOf(data, c.NFTA_DATA_VERDICT);
  if (verdict === undefined) return "";
  const parts = readAttributes(verdict);
  const code = number(parts, c.NFTA_VERDICT_CODE) | 0;
  const chain = text(parts, c.NFTA_VERDICT_CHAIN);
  const word = { [c.NF_DROP]: "drop", [c.NF_ACCEPT]: "accept", [c.NFT_JUMP]: "jump", [c.NFT_GOTO]: "goto", [c.NFT_RETURN]: "return" }[code];
  return chain === "" ? String(word) : `${word} ${chain}`;
}

const decoder = new TextDecoder();

/** libnftnl's user data: the comment is the field of type 0. */
function commentOf(bytes: Uint8Array | undefined): string {
  if (bytes === undefined || bytes[0] !== 0) return "";
  return decoder.decode(bytes.subarray(2, 1 + (bytes[1] ?? 1)));
}

const protocols: Readonly<Record<number, string>> = Object.fromEntries(Object.entries(protocolNumbers).map(([name, n]) => [n, name]));
const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function atomsText(bytes: Uint8Array, types: readonly DataType[]): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let result = "";
  let offset = 0;
  for (const type of types) {
    if (offset > 0) result += " . ";
    if (offset + (type === "ipv6_addr" ? 16 : 1) > bytes.length) return result;
    result += atomText(bytes, view, offset, type);
    offset += sizeOf(type);
  }
  return result;
}

function atomText(bytes: Uint8Array, view: DataView, offset: number, type: DataType): string {
  switch (type) {
    case "ipv4_addr":
      return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
    case "ipv6_addr":
      return ipv6Text(view, offset);
    case "inet_proto":
      return protocols[bytes[offset] as number] ?? String(bytes[offset]);
    case "inet_service":
      return String(view.getUint16(offset, false));
    case "mark":
      return String(view.getUint32(offset, littleEndian));
    default:
      return type satisfies never;
  }
}

/** RFC 5952, as `formatIp` writes it: the longest run of two zeros and more is left out. */
function ipv6Text(view: DataView, offset: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(offset + i * 2, false).toString(16));
  let [best, length] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (groups[end] === "0") end++;
    if (end - i > length) [best, length] = [i, end - i];
  }
  if (best < 0) return groups.join(":");
  return `${groups.slice(0, best).join(":")}::${groups.slice(best + length).join(":")}`;
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
