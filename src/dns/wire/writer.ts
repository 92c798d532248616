/** Writes big-endian fields and names, names compressed against those that were written before (RFC 1035 4.1.4). */
import { labelsOf } from "../../decide/dns/name.ts";
import { parseIp } from "../../lib/ip.ts";

const maxMessage = 65_535;
/** Pointers have fourteen bits. */
const maxPointer = 0x3fff;

/** More bytes than the message may have. Stays inside `dns/wire`: `encode` truncates. */
export class OverflowError extends Error {}

/** Messages are written one at a time, on one thread: all writers share the space. */
const scratch = Buffer.allocUnsafe(maxMessage);

export class Writer {
  readonly #names = new Map<string, number>();
  readonly limit: number;
  offset = 0;

  constructor(limit: number) {
    this.limit = Math.min(limit, maxMessage);
  }

  #room(count: number): number {
    const at = this.offset;
    if (at + count > this.limit) throw new OverflowError(`${at + count} bytes, ${this.limit} allowed`);
    this.offset = at + count;
    return at;
  }

  u8(value: number): void {
    scratch[this.#room(1)] = value;
  }

  u16(value: number): void {
    scratch.writeUInt16BE(value & 0xffff, this.#room(2));
  }

  u32(value: number): void {
    scratch.writeUInt32BE(value >>> 0, this.#room(4));
  }

  setU16(at: number, value: number): void {
    scratch.writeUInt16BE(value, at);
  }

  bytes(bytes: Uint8Array): void {
    scratch.set(bytes, this.#room(bytes.length));
  }

  /** One byte a character. */
  text(text: string): void {
    scratch.write(text, this.#room(text.length), "latin1");
  }

  /** A character string; what does not fit into 255 bytes is cut off. */
  string(text: string): void {
    const cut = text.slice(0, 255);
    this.u8(cut.length);
    this.text(cut);
  }

  address(address: string): void {
    const ip = parseIp(address);
    if (ip === undefined) throw new TypeError(`${JSON.stringify(address)} is no IP address`);
    if (ip.family === 4) return this.u32(Number(ip.value));
    const at = this.#room(16);
    scratch.writeBigUInt64BE(ip.value >> 64n, at);
    scratch.writeBigUInt64BE(ip.value & 0xffff_ffff_ffff_ffffn, at + 8);
  }

  /** `compress` must be false inside the data of types newer than RFC 1035 (RFC 3597 4). */
  name(name: string, compress = true): void {
    let rest = name;
    for (const label of labelsOf(name)) {
      const seen = compress ? this.#names.get(rest) : undefined;
      if (seen !== undefined) return this.u16(0xc000 | seen);
      if (this.offset <= maxPointer && !this.#names.has(rest)) this.#names.set(rest, this.offset);
      const length = this.#room(1);
      if (isPlain.test(label)) this.text(label);
      else this.bytes(labelBytes(label));
      const size = this.offset - length - 1;
      if (size === 0 || size > 63) throw new TypeError(`${JSON.stringify(name)} is no domain name`);
      scratch[length] = size;
      rest = rest.slice(label.length + 1);
    }
    this.u8(0);
  }

  /** Forgets what was written from `offset` on. */
  rewind(offset: number): void {
    this.offset = offset;
    for (const [name, at] of this.#names) if (at >= offset) this.#names.delete(name);
  }

  /** A copy of what was written. */
  finish(): Buffer {
    return Buffer.from(scratch.subarray(0, this.offset));
  }
}

const isPlain = /^[!-[\]-~]*$/;

/** Escapes are bytes; anything else stands for its UTF-8 form. */
function labelBytes(label: string): Buffer {
  const parts = label.match(/\\\d{3}|\\[^]|[^\\]+/g) ?? [];
  return Buffer.concat(
    parts.map((part) => (/^\\\d/.test(part) ? Buffer.of(Number(part.slice(1)) & 0xff) : Buffer.from(part.replace(/^\\/, ""), "utf8"))),
  );
}
