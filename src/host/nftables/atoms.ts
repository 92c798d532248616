/**
 * Values of sets and comparisons as the bytes that registers hold: each part of a concatenation padded to a word of 4 bytes,
 * addresses and ports in network order, marks in the machine's own. Written for loads of hundreds of thousands of elements:
 * no intermediate objects.
 */
import { protocolNumbers, type Atom, type DataType } from "../../lib/nftables/ruleset.ts";

/** Bytes of a part, with its padding. */
export function sizeOf(type: DataType): number {
  return type === "ipv6_addr" ? 16 : 4;
}

/** Bytes without padding: what a comparison takes. */
export function widthOf(type: DataType): number {
  switch (type) {
    case "ipv6_addr":
      return 16;
    case "inet_service":
      return 2;
    case "inet_proto":
      return 1;
    default:
      return 4;
  }
}

/** nft's own number of the type, by which `nft list` knows how to print an element (libnftables' `enum datatypes`). */
export function typeNumber(type: DataType): number {
  return { ipv4_addr: 7, ipv6_addr: 8, inet_proto: 12, inet_service: 13, mark: 19 }[type];
}

/** One buffer for each length: valid until the next call of that length. */
const buffers = new Map<number, Uint8Array>();

/** The key or value as one sequence of bytes, which the next call overwrites. */
export function encodeAtoms(atoms: readonly Atom[], types: readonly DataType[]): Uint8Array {
  let size = 0;
  for (const type of types) size += sizeOf(type);
  let bytes = buffers.get(size);
  if (bytes === undefined) buffers.set(size, (bytes = new Uint8Array(size)));
  let offset = 0;
  for (let i = 0; i < types.length; i++) {
    const type = types[i] as DataType;
    writeAtom(bytes, offset, type, atoms[i] as Atom);
    offset += sizeOf(type);
  }
  return bytes;
}

export function encodeAtom(atom: Atom, type: DataType): Uint8Array {
  const bytes = new Uint8Array(sizeOf(type));
  writeAtom(bytes, 0, type, atom);
  return bytes.subarray(0, widthOf(type));
}

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function writeAtom(bytes: Uint8Array, offset: number, type: DataType, atom: Atom): void {
  switch (type) {
    case "ipv4_addr":
      return writeIPv4(bytes, offset, atom as string);
    case "ipv6_addr":
      return writeIPv6(bytes, offset, atom as string);
    case "inet_proto":
      return writeWord(bytes, offset, protocolNumber(atom) << 24);
    case "inet_service":
      return writeWord(bytes, offset, (atom as number) << 16);
    case "mark":
      return writeWord(bytes, offset, littleEndian ? swap(atom as number) : (atom as number));
    default:
      return type satisfies never;
  }
}

function protocolNumber(atom: Atom): number {
  const number = typeof atom === "number" ? atom : protocolNumbers[atom];
  if (number === undefined) throw new TypeError(`no protocol: ${atom}`);
  return number;
}

/** Most significant byte first. */
function writeWord(bytes: Uint8Array, offset: number, word: number): void {
  bytes[offset] = word >>> 24;
  bytes[offset + 1] = word >>> 16;
  bytes[offset + 2] = word >>> 8;
  bytes[offset + 3] = word;
}

function swap(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

const dot = 46;
const colon = 58;

/** Four decimal parts; the plan's addresses are canonical. */
function writeIPv4(bytes: Uint8Array, offset: number, text: string, from = 0): void {
  let part = 0;
  let at = offset;
  let digits = 0;
  for (let i = from; i <= text.length; i++) {
    const code = i === text.length ? dot : text.charCodeAt(i);
    if (code >= 48 && code <= 57) {
      part = part * 10 + code - 48;
      digits++;
    } else if (code === dot && digits > 0 && part < 256 && at < offset + 4) {
      bytes[at++] = part;
      part = digits = 0;
    } else throw new TypeError(`no IPv4 address: ${text}`);
  }
  if (at !== offset + 4) throw new TypeError(`no IPv4 address: ${text}`);
}

/** RFC 4291 2.2: groups, one `::`, perhaps an IPv4 address at the end. */
function writeIPv6(bytes: Uint8Array, offset: number, text: string): void {
  bytes.fill(0, offset, offset + 16);
  let at = offset;
  let gap = -1;
  let i = 0;
  if (text.startsWith("::")) {
    gap = at;
    i = 2;
  }
  while (i < text.length) {
    const end = groupEnd(text, i);
    if (text.charCodeAt(end) === dot) {
      if (at > offset + 12) throw new TypeError(`no IPv6 address: ${text}`);
      writeIPv4(bytes, at, text, i);
      at += 4;
      break;
    }
    if (at >= offset + 16 || end === i) throw new TypeError(`no IPv6 address: ${text}`);
    const group = Number.parseInt(text.slice(i, end), 16);
    bytes[at++] = group >> 8;
    bytes[at++] = group;
    if (end + 1 === text.length) throw new TypeError(`no IPv6 address: ${text}`);
    i = end + 1;
    if (text.charCodeAt(i) === colon && end < text.length) {
      if (gap >= 0) throw new TypeError(`no IPv6 address: ${text}`);
      gap = at;
      i++;
    }
  }
  if (gap >= 0 && at < offset + 16) {
    bytes.copyWithin(offset + 16 - (at - gap), gap, at);
    bytes.fill(0, gap, offset + 16 - (at - gap));
  } else if (gap >= 0 || at !== offset + 16) throw new TypeError(`no IPv6 address: ${text}`);
}

/** Where the hexadecimal group that begins at `i` ends: at a colon, a dot or the end of the text. */
function groupEnd(text: string, i: number): number {
  let end = i;
  for (; end < text.length && end - i < 4; end++) {
    const code = text.charCodeAt(end);
    const hexadecimal = (code >= 48 && code <= 57) || (code >= 97 && code <= 102) || (code >= 65 && code <= 70);
    if (!hexadecimal) break;
  }
  if (end < text.length && text.charCodeAt(end) !== colon && text.charCodeAt(end) !== dot) throw new TypeError(`no IPv6 address: ${text}`);
  return end;
}
