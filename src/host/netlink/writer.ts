/**
 * Netlink messages as bytes: one growing buffer, written front to back, lengths filled in at the end of each message and
 * nest. All integers are in host order unless the name says `be` (nfnetlink writes network order).
 *
 * Layout: include/uapi/linux/netlink.h. A message is `nlmsghdr` (length, type, flags, sequence, port), the family's own
 * header, and attributes (length, type, value) padded to 4 bytes.
 */

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
const NLA_F_NESTED = 0x8000;

/** An attribute's length has 16 bits. */
const maxAttributeBytes = 0xffff;
const encoder = new TextEncoder();

export class NetlinkWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #offset = 0;
  #messageStart = -1;
  #sequence: number;
  /** Sequence number → what the message does, for errors. Cleared with the buffer. */
  readonly #labels = new Map<number, string>();

  constructor(options: { readonly initialBytes?: number; readonly firstSequence?: number } = {}) {
    this.#bytes = new Uint8Array(options.initialBytes ?? 4096);
    this.#view = new DataView(this.#bytes.buffer);
    this.#sequence = options.firstSequence ?? 1;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#offset;
  }

  /** The sequence number of the message begun last. */
  get sequence(): number {
    return this.#sequence - 1;
  }

  /** What the message of that number does, in the words that `message` was given. */
  label(sequence: number): string | undefined {
    return this.#labels.get(sequence);
  }

  /** Begins a message; NLM_F_REQUEST is added. `label` names it in errors (`add route 10.244.0.7/32`). Ends the one before. */
  message(type: number, flags: number, label?: string): this {
    this.endMessage();
    this.#reserve(16);
    const start = this.#offset;
    this.#messageStart = start;
    this.#view.setUint16(start + 4, type, true);
    this.#view.setUint16(start + 6, flags | NLM_F_REQUEST, true);
    this.#view.setUint32(start + 8, this.#sequence, true);
    this.#view.setUint32(start + 12, 0, true);
    if (label !== undefined) this.#labels.set(this.#sequence, label);
    this.#sequence = this.#sequence === 0xffff_ffff ? 1 : this.#sequence + 1;
    this.#offset = start + 16;
    return this;
  }

  /** Adds flags to the message begun last: NLM_F_ACK to the last one of a batch, before `finish`. */
  addFlags(flags: number): this {
    if (this.#messageStart < 0) throw new Error("no message was begun");
    const at = this.#messageStart + 6;
    this.#view.setUint16(at, this.#view.getUint16(at, true) | flags, true);
    return this;
  }

  /** Fills in the length; `message` and `finish` do it too. */
  endMessage(): void {
    if (this.#messageStart < 0) return;
    this.#view.setUint32(this.#messageStart, this.#offset - this.#messageStart, true);
    this.#messageStart = -1;
    this.#align();
  }

  /** All messages so far: a view that the next write or `reset` makes invalid. */
  finish(): Uint8Array {
    this.endMessage();
    return this.#bytes.subarray(0, this.#offset);
  }

  /** Empties the buffer and keeps its memory; sequence numbers go on. */
  reset(): this {
    this.#offset = 0;
    this.#messageStart = -1;
    this.#labels.clear();
    return this;
  }

  /** Header fields, unpadded. */
  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#offset++] = value;
    return this;
  }

  u16(value: number): this {
    this.#reserve(2);
    this.#view.setUint16(this.#offset, value, true);
    this.#offset += 2;
    return this;
  }

  u16be(value: number): this {
    this.#reserve(2);
    this.#view.setUint16(this.#offset, value, false);
    this.#offset += 2;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#offset, value, true);
    this.#offset += 4;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#offset);
    this.#offset += value.length;
    return this;
  }

  attributeU8(type: number, value: number): this {
    this.#header(type, 1);
    this.#bytes[this.#offset] = value;
    return this.#skip(1);
  }

  attributeU16(type: number, value: number): this {
    this.#header(type, 2);
    this.#view.setUint16(this.#offset, value, true);
    return this.#skip(2);
  }

  attributeU16be(type: number, value: number): this {
    this.#header(type, 2);
    this.#view.setUint16(this.#offset, value, false);
    return this.#skip(2);
  }

  attributeU32(type: number, value: number): this {
    this.#header(type, 4);
    this.#view.setUint32(this.#offset, value, true);
    return this.#skip(4);
  }

  /** Negative numbers are written as two's complement (nftables' verdicts). */
  attributeU32be(type: number, value: number): this {
    this.#header(type, 4);
    this.#view.setUint32(this.#offset, value, false);
    return this.#skip(4);
  }

  attributeU64be(type: number, value: bigint): this {
    this.#header(type, 8);
    this.#view.setBigUint64(this.#offset, value, false);
    return this.#skip(8);
  }

  attributeBytes(type: number, value: Uint8Array): this {
    this.#header(type, value.length);
    this.#bytes.set(value, this.#offset);
    return this.#skip(value.length);
  }

  /** Ends with a NUL. */
  attributeString(type: number, value: string): this {
    return this.attributeBytes(type, encoder.encode(`${value}\0`));
  }

  /** An attribute without a value. */
  attributeFlag(type: number): this {
    this.#header(type, 0);
    return this;
  }

  /** An attribute that holds those that `content` writes. */
  nest(type: number, content: (writer: this) => void): this {
    const start = this.beginNest(type);
    content(this);
    return this.endNest(start);
  }

  /** For loops over many elements: no closure. Returns what `endNest` takes. */
  beginNest(type: number): number {
    const start = this.#offset;
    this.#reserve(4);
    this.#view.setUint16(start + 2, type | NLA_F_NESTED, true);
    this.#offset = start + 4;
    return start;
  }

  endNest(start: number): this {
    const length = this.#offset - start;
    if (length > maxAttributeBytes) throw new RangeError(`a netlink attribute of ${length} bytes; ${maxAttributeBytes} is the most`);
    this.#view.setUint16(start, length, true);
    return this;
  }

  /** Room for the whole attribute, its header written, its padding zero. */
  #header(type: number, length: number): void {
    if (length + 4 > maxAttributeBytes) throw new RangeError(`a netlink attribute of ${length} bytes; ${maxAttributeBytes} is the most`);
    this.#reserve(8 + length);
    this.#view.setUint16(this.#offset, length + 4, true);
    this.#view.setUint16(this.#offset + 2, type, true);
    this.#offset += 4;
  }

  #skip(length: number): this {
    this.#offset += length;
    this.#align();
    return this;
  }

  /** Up to the next multiple of 4. The buffer is used again, so old bytes must not show. */
  #align(): void {
    this.#reserve(3);
    while (this.#offset & 3) this.#bytes[this.#offset++] = 0;
  }

  #reserve(count: number): void {
    const needed = this.#offset + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
