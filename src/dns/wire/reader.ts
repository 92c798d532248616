/** Reads big-endian fields and names out of untrusted bytes; every read is bounded, a name's pointers lead backwards only. */
import { formatIp } from "../../lib/ip.ts";

/** The bytes are no DNS message. Stays inside `dns/wire`: `decode` turns it into a value. */
export class FormatError extends Error {}

const maxNameBytes = 255;

export class Reader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  offset: number;
  /** One past the last byte that may be read. */
  end: number;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = offset;
    this.end = end;
  }

  get left(): number {
    return this.end - this.offset;
  }

  #take(count: number): number {
    const at = this.offset;
    if (at + count > this.end) throw new FormatError(`${count} bytes wanted at ${at}, ${this.end - at} are left`);
    this.offset = at + count;
    return at;
  }

  u8(): number {
    return this.bytes[this.#take(1)] as number;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** A copy. */
  take(count: number): Uint8Array {
    const at = this.#take(count);
    // Not `slice`: a Buffer's would share the memory of the datagram.
    return new Uint8Array(this.bytes.subarray(at, at + count));
  }

  /** A character string: a length byte and as many bytes, one a character. */
  string(): string {
    return this.text(this.u8());
  }

  text(count: number): string {
    const at = this.#take(count);
    return latin1(this.bytes, at, at + count);
  }

  address(family: 4 | 6): string {
    const at = this.#take(family === 4 ? 4 : 16);
    if (family === 4) return `${this.bytes[at]}.${this.bytes[at + 1]}.${this.bytes[at + 2]}.${this.bytes[at + 3]}`;
    return formatIp({ family: 6, value: (this.#view.getBigUint64(at) << 64n) | this.#view.getBigUint64(at + 8) });
  }

  /** A possibly compressed name, in presentation form (RFC 1035 4.1.4). */
  name(): string {
    let text = "";
    let length = 1;
    let at = this.offset;
    let after = -1;
    // A pointer must lead before the place where this run of labels began, so there are fewer of them than bytes.
    let start = at;
    for (;;) {
      if (at >= this.end && after < 0) throw new FormatError("a name runs past its end");
      const size = this.bytes[at];
      if (size === undefined) throw new FormatError("a name runs past its end");
      if (size === 0) break;
      if (size >= 0xc0) {
        const low = this.bytes[at + 1];
        if (low === undefined || (after < 0 && at + 2 > this.end)) throw new FormatError("a pointer runs past its end");
        const target = ((size & 0x3f) << 8) | low;
        if (target >= start) throw new FormatError(`a name's pointer at ${at} does not lead backwards`);
        if (after < 0) after = at + 2;
        start = at = target;
        continue;
      }
      if (size > 63) throw new FormatError(`a label of type ${size >> 6}`);
      length += size + 1;
      if (length > maxNameBytes) throw new FormatError("a name is longer than 255 bytes");
      if (at + 1 + size > (after < 0 ? this.end : this.bytes.length)) throw new FormatError("a label runs past its end");
      text += `${labelText(this.bytes, at + 1, at + 1 + size)}.`;
      at += size + 1;
    }
    this.offset = after < 0 ? at + 1 : after;
    return text === "" ? "." : text;
  }
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let i = from; i < to; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

/** Letters, digits and what else needs no escape in a label. */
const plain = new Uint8Array(256);
for (let byte = 0x21; byte < 0x7f; byte++) plain[byte] = 1;
for (const special of '."\\();@$') plain[special.charCodeAt(0)] = 0;

function labelText(bytes: Uint8Array, from: number, to: number): string {
  for (let i = from; i < to; i++) if (plain[bytes[i] as number] === 0) return escaped(bytes, from, to);
  return latin1(bytes, from, to);
}

function escaped(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let i = from; i < to; i++) {
    const byte = bytes[i] as number;
    if (plain[byte] === 1) text += String.fromCharCode(byte);
    else if (byte > 0x20 && byte < 0x7f) text += `\\${String.fromCharCode(byte)}`;
    else text += `\\${String(byte).padStart(3, "0")}`;
  }
  return text;
}
