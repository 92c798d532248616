/** Elements of sets and maps as the kernel lists them, as text (`lib/nftables/listing.ts` has its form). */
import { protocolNumbers, type DataType } from "../../lib/nftables/ruleset.ts";
import { eachAttribute, readAttributes } from "../netlink/reader.ts";
import { sizeOf, typeNumber } from "./atoms.ts";
import * as c from "./constants.ts";
import { number, text } from "./read-attributes.ts";

const dataTypes: readonly DataType[] = ["ipv4_addr", "ipv6_addr", "inet_proto", "inet_service", "mark"];
export const typeCode = (types: readonly DataType[]) => types.reduce((sum, type) => (sum << 6) | typeNumber(type), 0);

/** Six bits for each part; undefined: a type that is not ours. */
export function typesOf(code: number): readonly DataType[] | undefined {
  const types: DataType[] = [];
  for (let rest = code; rest > 0; rest >>>= 6) {
    const type = dataTypes.find((one) => typeNumber(one) === (rest & 63));
    if (type === undefined) return undefined;
    types.unshift(type);
  }
  return types;
}

/** Adds each element of a message to the map. */
export function elementDecoder(key: readonly DataType[], value: readonly DataType[] | "verdict") {
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
