/** Operations as nfnetlink messages. Everything between `beginBatch` and `endBatch` is one transaction of the kernel. */
import type { BaseHook, DataType, Element, Operation, SetDeclaration, Table } from "../../lib/nftables/ruleset.ts";
import { NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, type NetlinkWriter } from "../netlink/writer.ts";
import { encodeAtoms, sizeOf, typeNumber } from "./atoms.ts";
import * as c from "./constants.ts";
import { verdictData } from "./expressions.ts";
import { verdictCode, writeStatements } from "./statements.ts";

/**
 * Elements in one message. The list is an attribute, whose length has 16 bits; an element of ours takes 120 bytes at most
 * without its comment, 250 with.
 */
const maxElements = 240;
const encoder = new TextEncoder();

/** Ends the message before it, so that the batch's own messages have the numbers around those of the operations. */
export function beginBatch(writer: NetlinkWriter): void {
  writer.message(c.NFNL_MSG_BATCH_BEGIN, 0).u8(0).u8(0).u16be(c.NFNL_SUBSYS_NFTABLES);
}

/** The last operation asks for an acknowledgement, which the kernel gives when the transaction is done. */
export function endBatch(writer: NetlinkWriter): void {
  writer.addFlags(NLM_F_ACK);
  writer.message(c.NFNL_MSG_BATCH_END, 0).u8(0).u8(0).u16be(c.NFNL_SUBSYS_NFTABLES);
}

function begin(writer: NetlinkWriter, type: number, flags: number, table: Table, label: string): NetlinkWriter {
  writer.message((c.NFNL_SUBSYS_NFTABLES << 8) | type, flags, label);
  return writer
    .u8(table.family === "ip" ? c.NFPROTO_IPV4 : c.NFPROTO_IPV6)
    .u8(0)
    .u16be(0);
}

export function writeOperation(writer: NetlinkWriter, operation: Operation): void {
  const { table } = operation;
  const in_ = `${table.family} ${table.name}`;
  switch (operation.kind) {
    case "addTable":
      begin(writer, c.NFT_MSG_NEWTABLE, NLM_F_CREATE, table, `add table ${in_}`).attributeString(c.NFTA_TABLE_NAME, table.name);
      return;
    case "deleteTable":
      begin(writer, c.NFT_MSG_DELTABLE, 0, table, `delete table ${in_}`).attributeString(c.NFTA_TABLE_NAME, table.name);
      return;
    case "addChain":
      return writeChain(writer, table, operation.chain, operation.base);
    case "deleteChain":
      begin(writer, c.NFT_MSG_DELCHAIN, 0, table, `delete chain ${in_} ${operation.chain}`)
        .attributeString(c.NFTA_CHAIN_TABLE, table.name)
        .attributeString(c.NFTA_CHAIN_NAME, operation.chain);
      return;
    case "flushChain":
      // Without a handle: all of the chain's rules.
      begin(writer, c.NFT_MSG_DELRULE, 0, table, `flush chain ${in_} ${operation.chain}`)
        .attributeString(c.NFTA_RULE_TABLE, table.name)
        .attributeString(c.NFTA_RULE_CHAIN, operation.chain);
      return;
    case "addSet":
      return writeSet(writer, table, operation.set);
    case "deleteSet":
      begin(writer, c.NFT_MSG_DELSET, 0, table, `delete set ${in_} ${operation.set.name}`)
        .attributeString(c.NFTA_SET_TABLE, table.name)
        .attributeString(c.NFTA_SET_NAME, operation.set.name);
      return;
    case "addRule":
      begin(writer, c.NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, table, `add rule ${in_} ${operation.chain}`)
        .attributeString(c.NFTA_RULE_TABLE, table.name)
        .attributeString(c.NFTA_RULE_CHAIN, operation.chain)
        .nest(c.NFTA_RULE_EXPRESSIONS, (w) => writeStatements(w, table.family, operation.statements));
      return;
    case "addElements":
      return writeElements(writer, c.NFT_MSG_NEWSETELEM, NLM_F_CREATE, `add element ${in_} ${operation.set.name}`, operation);
    case "deleteElements":
      return writeElements(writer, c.NFT_MSG_DELSETELEM, 0, `delete element ${in_} ${operation.set.name}`, operation);
    default:
      return operation satisfies never;
  }
}

/** A question, not part of a batch. */
export function writeGetTable(writer: NetlinkWriter, table: Table): void {
  const label = `get table ${table.family} ${table.name}`;
  begin(writer, c.NFT_MSG_GETTABLE, NLM_F_ACK, table, label).attributeString(c.NFTA_TABLE_NAME, table.name);
}

/** A question about the whole network namespace. */
export function writeGetGeneration(writer: NetlinkWriter): void {
  writer
    .message((c.NFNL_SUBSYS_NFTABLES << 8) | c.NFT_MSG_GETGEN, 0, "get generation")
    .u8(0)
    .u8(0)
    .u16be(0);
}

export type Listed = "chains" | "rules" | "sets" | "elements";

const listings = {
  chains: [c.NFT_MSG_GETCHAIN, c.NFTA_CHAIN_TABLE],
  rules: [c.NFT_MSG_GETRULE, c.NFTA_RULE_TABLE],
  sets: [c.NFT_MSG_GETSET, c.NFTA_SET_TABLE],
  elements: [c.NFT_MSG_GETSETELEM, c.NFTA_SET_ELEM_LIST_TABLE],
} as const;

/** Begins a list of a table's parts; `set`: of its elements. */
export function writeList(writer: NetlinkWriter, table: Table, what: Listed, set?: string): void {
  const [type, tableAttribute] = listings[what];
  begin(writer, type, NLM_F_DUMP, table, `list ${what} of ${table.family} ${table.name} ${set ?? ""}`).attributeString(
    tableAttribute,
    table.name,
  );
  if (set !== undefined) writer.attributeString(c.NFTA_SET_ELEM_LIST_SET, set);
}

export const hookNumbers = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

function writeChain(writer: NetlinkWriter, table: Table, name: string, base: BaseHook | undefined): void {
  begin(writer, c.NFT_MSG_NEWCHAIN, NLM_F_CREATE, table, `add chain ${table.family} ${table.name} ${name}`)
    .attributeString(c.NFTA_CHAIN_TABLE, table.name)
    .attributeString(c.NFTA_CHAIN_NAME, name);
  if (base === undefined) return;
  writer
    .nest(c.NFTA_CHAIN_HOOK, (w) =>
      w.attributeU32be(c.NFTA_HOOK_HOOKNUM, hookNumbers[base.hook]).attributeU32be(c.NFTA_HOOK_PRIORITY, base.priority),
    )
    .attributeString(c.NFTA_CHAIN_TYPE, base.type);
}

const setFlags = { dynamic: c.NFT_SET_EVAL, timeout: c.NFT_SET_TIMEOUT } as const;

function writeSet(writer: NetlinkWriter, table: Table, set: SetDeclaration): void {
  const flags = (set.flags ?? []).reduce((sum, flag) => sum | setFlags[flag], set.value === undefined ? 0 : c.NFT_SET_MAP);
  begin(writer, c.NFT_MSG_NEWSET, NLM_F_CREATE, table, `add set ${table.family} ${table.name} ${set.name}`)
    .attributeString(c.NFTA_SET_TABLE, table.name)
    .attributeString(c.NFTA_SET_NAME, set.name)
    .attributeU32be(c.NFTA_SET_FLAGS, flags)
    .attributeU32be(c.NFTA_SET_KEY_TYPE, typeOf(set.key))
    .attributeU32be(c.NFTA_SET_KEY_LEN, lengthOf(set.key))
    // Names this set within the batch; unique there, since a sequence number is.
    .attributeU32be(c.NFTA_SET_ID, writer.sequence);
  if (set.value === "verdict") writer.attributeU32be(c.NFTA_SET_DATA_TYPE, c.NFT_DATA_VERDICT);
  else if (set.value !== undefined) {
    writer.attributeU32be(c.NFTA_SET_DATA_TYPE, typeOf(set.value)).attributeU32be(c.NFTA_SET_DATA_LEN, lengthOf(set.value));
  }
  writer.attributeBytes(c.NFTA_SET_USERDATA, byteOrders(set));
  const { size } = set;
  if (size !== undefined) writer.nest(c.NFTA_SET_DESC, (w) => w.attributeU32be(c.NFTA_SET_DESC_SIZE, size));
}

/**
 * libnftnl's user data: how `nft list` reads numbers (NFTNL_UDATA_SET_KEYBYTEORDER, …_DATABYTEORDER; 1 the machine's order,
 * 2 network order). Only a single mark is in the machine's: parts of a concatenation each have their type's.
 */
function byteOrders({ key, value }: SetDeclaration): Uint8Array {
  const order = (types: readonly DataType[]) => (types.length === 1 && types[0] === "mark" ? 1 : 2);
  const field = (type: number, number: number) => [type, 4, ...new Uint8Array(Uint32Array.of(number).buffer)];
  return Uint8Array.from([...field(0, order(key)), ...(value === undefined || value === "verdict" ? [] : field(1, order(value)))]);
}

/** A concatenation's type: six bits for each part's. */
function typeOf(types: readonly DataType[]): number {
  return types.reduce((sum, type) => (sum << 6) | typeNumber(type), 0);
}

function lengthOf(types: readonly DataType[]): number {
  return types.reduce((sum, type) => sum + sizeOf(type), 0);
}

interface ElementChange {
  readonly table: Table;
  readonly set: SetDeclaration;
  readonly elements: readonly Element[];
}

function writeElements(writer: NetlinkWriter, type: number, flags: number, label: string, { table, set, elements }: ElementChange): void {
  for (let from = 0; from < elements.length; from += maxElements) {
    begin(writer, type, flags, table, label)
      .attributeString(c.NFTA_SET_ELEM_LIST_TABLE, table.name)
      .attributeString(c.NFTA_SET_ELEM_LIST_SET, set.name);
    const list = writer.beginNest(c.NFTA_SET_ELEM_LIST_ELEMENTS);
    const end = Math.min(from + maxElements, elements.length);
    for (let i = from; i < end; i++) writeElement(writer, set, elements[i] as Element, type === c.NFT_MSG_NEWSETELEM);
    writer.endNest(list);
  }
}

function writeElement(writer: NetlinkWriter, set: SetDeclaration, { key, value, comment }: Element, whole: boolean): void {
  const element = writer.beginNest(c.NFTA_LIST_ELEM);
  writeData(writer, c.NFTA_SET_ELEM_KEY, encodeAtoms(key, set.key));
  if (whole && value !== undefined) {
    if ("kind" in value) {
      const data = writer.beginNest(c.NFTA_SET_ELEM_DATA);
      verdictData(writer, verdictCode(value), "chain" in value ? value.chain : undefined);
      writer.endNest(data);
    } else writeData(writer, c.NFTA_SET_ELEM_DATA, encodeAtoms(value, set.value as readonly DataType[]));
  }
  if (whole && comment !== undefined) writer.attributeBytes(c.NFTA_SET_ELEM_USERDATA, commentData(comment));
  writer.endNest(element);
}

function writeData(writer: NetlinkWriter, type: number, bytes: Uint8Array): void {
  const data = writer.beginNest(type);
  writer.attributeBytes(c.NFTA_DATA_VALUE, bytes);
  writer.endNest(data);
}

/** libnftnl's user data: type 0 (NFTNL_UDATA_SET_ELEM_COMMENT), one byte of length, the text and a NUL. */
function commentData(comment: string): Uint8Array {
  const text = encoder.encode(comment);
  const bytes = new Uint8Array(text.length + 3);
  bytes[1] = text.length + 1;
  bytes.set(text, 2);
  return bytes;
}
