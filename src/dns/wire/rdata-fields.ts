/**
 * How record types that this program only carries are written by people: each a list of fields (RFC 4034, 5155, 6698, 4255, 4398,
 * 7553, 7929, 7043). On the wire they are opaque bytes; here text becomes those bytes and back.
 */
import { recordTypes as T, typeCode, typeName } from "../../decide/dns/records.ts";
import { labelsOf } from "../../decide/dns/name.ts";
import { FormatError, Reader } from "./reader.ts";

export type FieldKind =
  | "u8"
  | "u16"
  | "u32"
  | "type"
  | "algorithm"
  | "time"
  | "name"
  | "salt"
  | "hash"
  | "types"
  | "hex"
  | "base64"
  | "text"
  | "eui";

const ds: readonly FieldKind[] = ["u16", "algorithm", "u8", "hex"];
const key: readonly FieldKind[] = ["u16", "u8", "algorithm", "base64"];
const tlsa: readonly FieldKind[] = ["u8", "u8", "u8", "hex"];

const fieldsOfType: ReadonlyMap<number, readonly FieldKind[]> = new Map<number, readonly FieldKind[]>([
  [T.DS, ds],
  [T.CDS, ds],
  [T.DNSKEY, key],
  [T.CDNSKEY, key],
  [T.KEY, key],
  [T.RRSIG, ["type", "algorithm", "u8", "u32", "time", "time", "u16", "name", "base64"]],
  [T.SIG, ["type", "algorithm", "u8", "u32", "time", "time", "u16", "name", "base64"]],
  [T.NSEC, ["name", "types"]],
  [T.NSEC3, ["u8", "u8", "u16", "salt", "hash", "types"]],
  [T.NSEC3PARAM, ["u8", "u8", "u16", "salt"]],
  [T.TLSA, tlsa],
  [53, tlsa],
  [T.SSHFP, ["u8", "u8", "hex"]],
  [T.CERT, ["u16", "u16", "algorithm", "base64"]],
  [T.URI, ["u16", "u16", "text"]],
  [61, ["base64"]],
  [49, ["base64"]],
  [108, ["eui"]],
  [109, ["eui"]],
]);

export const fieldsOf = (type: number): readonly FieldKind[] | undefined => fieldsOfType.get(type);

/** DNS security algorithms by mnemonic (RFC 4034 A.1, IANA). */
const algorithms: Readonly<Record<string, number>> = {
  RSAMD5: 1,
  DH: 2,
  DSA: 3,
  RSASHA1: 5,
  "DSA-NSEC3-SHA1": 6,
  "RSASHA1-NSEC3-SHA1": 7,
  RSASHA256: 8,
  RSASHA512: 10,
  "ECC-GOST": 12,
  ECDSAP256SHA256: 13,
  ECDSAP384SHA384: 14,
  ED25519: 15,
  ED448: 16,
  INDIRECT: 252,
  PRIVATEDNS: 253,
  PRIVATEOID: 254,
};

/** The words of one record, in order. Its methods throw when a word is missing or is not what was wanted. */
export interface FieldSource {
  word(wanted: string): string;
  name(): string;
  number(max: number): number;
  seconds(): number;
  rest(): string[];
  fail(reason: string): Error;
}

export function parseFields(kinds: readonly FieldKind[], source: FieldSource): Uint8Array {
  return Uint8Array.from(Buffer.concat(kinds.map((kind) => parseField(kind, source))));
}

function parseField(kind: FieldKind, source: FieldSource): Uint8Array {
  switch (kind) {
    case "u8":
      return Uint8Array.of(source.number(0xff));
    case "u16":
      return u16(source.number(0xffff));
    case "u32":
      return u32(source.seconds());
    case "type":
      return u16(typeOf(source.word("a type"), source));
    case "algorithm":
      return Uint8Array.of(algorithmOf(source.word("an algorithm"), source));
    case "time":
      return u32(timeOf(source.word("a time"), source));
    case "name":
      return nameBytes(source.name());
    case "salt": {
      const word = source.word("a salt");
      const bytes = word === "-" ? Buffer.alloc(0) : hexOf(word, source);
      return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
    }
    case "hash": {
      const bytes = base32(source.word("a hash"), source);
      return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
    }
    case "types":
      return bitmap(source.rest().map((word) => typeOf(word, source)));
    case "hex":
      return hexOf(source.rest().join(""), source);
    case "base64":
      return Buffer.from(source.rest().join(""), "base64");
    case "text":
      return Buffer.from(source.word("a text"), "latin1");
    case "eui":
      return hexOf(source.word("an address").replaceAll("-", ""), source);
  }
}

export function formatFields(kinds: readonly FieldKind[], bytes: Uint8Array): string {
  const reader = new Reader(bytes);
  return kinds.map((kind) => formatField(kind, reader)).join(" ");
}

function formatField(kind: FieldKind, reader: Reader): string {
  switch (kind) {
    case "u8":
    case "algorithm":
      return String(reader.u8());
    case "u16":
      return String(reader.u16());
    case "u32":
      return String(reader.u32());
    case "type":
      return typeName(reader.u16());
    case "time":
      return new Date(reader.u32() * 1000).toISOString().replace(/[-:T]|\..*$/g, "");
    case "name":
      return reader.name();
    case "salt":
      return Buffer.from(reader.take(reader.u8())).toString("hex").toUpperCase() || "-";
    case "hash":
      return toBase32(reader.take(reader.u8()));
    case "types":
      return typesOf(reader).map(typeName).join(" ");
    case "hex":
      return Buffer.from(reader.take(reader.left)).toString("hex").toUpperCase();
    case "base64":
      return Buffer.from(reader.take(reader.left)).toString("base64");
    case "text":
      return `"${Buffer.from(reader.take(reader.left)).toString("latin1")}"`;
    case "eui":
      return (Buffer.from(reader.take(reader.left)).toString("hex").match(/../g) ?? []).join("-");
  }
}

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function typeOf(word: string, source: FieldSource): number {
  const code = typeCode(word);
  if (code === undefined) throw source.fail(`${JSON.stringify(word)} is no record type`);
  return code;
}

function algorithmOf(word: string, source: FieldSource): number {
  const named = Object.hasOwn(algorithms, word.toUpperCase()) ? algorithms[word.toUpperCase()] : undefined;
  if (named === undefined && !(/^\d+$/.test(word) && Number(word) <= 255)) throw source.fail(`${JSON.stringify(word)} is no algorithm`);
  return named ?? Number(word);
}

/** `20260101000000`, or seconds since the epoch. */
function timeOf(word: string, source: FieldSource): number {
  const [, year, month, day, hour, minute, second] = (/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(word) ?? []).map(Number);
  if (year !== undefined) return Date.UTC(year, (month ?? 1) - 1, day, hour, minute, second) / 1000;
  if (!/^\d{1,10}$/.test(word)) throw source.fail(`${JSON.stringify(word)} is no time`);
  return Number(word);
}

/** Never compressed: other programs must find it as it is. */
export function nameBytes(name: string): Buffer {
  const labels = labelsOf(name).map((label) => {
    const text = Buffer.from(
      label.replace(/\\(\d{3}|[^])/g, (_, what: string) => (what.length === 3 ? String.fromCharCode(Number(what) & 0xff) : what)),
      "latin1",
    );
    return Buffer.concat([Uint8Array.of(text.length), text]);
  });
  return Buffer.concat([...labels, Uint8Array.of(0)]);
}

function hexOf(text: string, source: FieldSource): Buffer {
  if (!/^([\da-f]{2})*$/i.test(text)) throw source.fail(`${JSON.stringify(text.slice(0, 20))} is not hexadecimal`);
  return Buffer.from(text, "hex");
}

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

/** Base 32 with extended hex alphabet, without padding (RFC 4648 7). */
function base32(text: string, source: FieldSource): Buffer {
  let bits = 0n;
  for (const char of text.toUpperCase()) {
    const value = digits.indexOf(char);
    if (value < 0) throw source.fail(`${JSON.stringify(text)} is not base 32`);
    bits = (bits << 5n) | BigInt(value);
  }
  const length = Math.floor((text.length * 5) / 8);
  const rest = BigInt(text.length * 5 - length * 8);
  return Buffer.from((bits >> rest).toString(16).padStart(length * 2, "0"), "hex");
}

function toBase32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    for (bits += 8; bits >= 5; bits -= 5) text += digits[(value >> (bits - 5)) & 31];
  }
  return bits === 0 ? text : text + digits[(value << (5 - bits)) & 31];
}

/** RFC 4034 4.1.2. */
function bitmap(types: readonly number[]): Buffer {
  const windows = new Map<number, Uint8Array>();
  for (const type of types) {
    const window = windows.get(type >> 8) ?? new Uint8Array(32);
    window[(type & 0xff) >> 3] = (window[(type & 0xff) >> 3] as number) | (0x80 >> (type & 7));
    windows.set(type >> 8, window);
  }
  const parts = [...windows]
    .sort(([a], [b]) => a - b)
    .map(([number, window]) => {
      const length = window.findLastIndex((byte) => byte !== 0) + 1;
      return Buffer.concat([Uint8Array.of(number, length), window.subarray(0, length)]);
    });
  return Buffer.concat(parts);
}

function typesOf(reader: Reader): number[] {
  const types: number[] = [];
  while (reader.left > 0) {
    const window = reader.u8();
    const bytes = reader.take(reader.u8());
    if (bytes.length > 32) throw new FormatError("a window of a type bitmap is too long");
    bytes.forEach((byte, i) => {
      for (let bit = 0; bit < 8; bit++) if ((byte & (0x80 >> bit)) !== 0) types.push((window << 8) | (i * 8 + bit));
    });
  }
  return types;
}
