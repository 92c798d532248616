/** Header blocks as one side wrote them, read (RFC 7541). A block that cannot be read ends the connection: the tables differ from then on. */
import { decodeHuffman } from "./huffman.ts";
import { DynamicTable, entryOverhead, staticTable, type HeaderField } from "./hpack-table.ts";

export interface HeaderLimits {
  /** Of all fields with 32 for each (RFC 9113 6.5.2). */
  readonly bytes: number;
  readonly fields: number;
}

export type HeaderBlock =
  | { readonly kind: "headers"; readonly fields: readonly HeaderField[] }
  /** Beyond the limits: read, so that the tables are right, and thrown away. */
  | { readonly kind: "too-large" }
  | { readonly kind: "malformed"; readonly why: string };

/** Of an integer: more is no index or length that there can be. */
const maxInteger = 1 << 28;

export class HpackDecoder {
  readonly #maxTableBytes: number;
  readonly #table: DynamicTable;
  readonly #limits: HeaderLimits;
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;
  #end = 0;

  /** `maxTableBytes`: what the other side was told (SETTINGS_HEADER_TABLE_SIZE). */
  constructor(limits: HeaderLimits, maxTableBytes = 4096) {
    this.#limits = limits;
    this.#maxTableBytes = maxTableBytes;
    this.#table = new DynamicTable(maxTableBytes);
  }

  /** The same block at the same version has the same meaning. */
  get version(): number {
    return this.#table.version;
  }

  decode(block: Uint8Array): HeaderBlock {
    this.#bytes = block;
    this.#at = 0;
    this.#end = block.length;
    const fields: HeaderField[] = [];
    let left = this.#limits.bytes;
    while (this.#at < this.#end) {
      const first = block[this.#at] as number;
      if ((first & 0xe0) === 0x20) {
        if (fields.length > 0) return malformed("a table size behind fields");
        if (!this.#resize()) return malformed("a table size beyond what was agreed");
        continue;
      }
      const field = this.#field(first);
      if (field === undefined) return malformed("a field that is none");
      left -= field.name.length + field.value.length + entryOverhead;
      if (left >= 0 && fields.length <= this.#limits.fields) fields.push(field);
    }
    return left < 0 || fields.length > this.#limits.fields ? { kind: "too-large" } : { kind: "headers", fields };
  }

  #field(first: number): HeaderField | undefined {
    if ((first & 0x80) !== 0) return this.#indexed(this.#integer(7));
    const kept = (first & 0x40) !== 0;
    const index = this.#integer(kept ? 6 : 4);
    const name = index === 0 ? this.#text() : this.#indexed(index)?.name;
    const value = this.#text();
    if (name === undefined || value === undefined) return undefined;
    const field = { name, value };
    if (kept) this.#table.add(field);
    return field;
  }

  #indexed(index: number): HeaderField | undefined {
    if (index <= 0) return undefined;
    return index < staticTable.length ? staticTable[index] : this.#table.at(index - staticTable.length);
  }

  #resize(): boolean {
    const bytes = this.#integer(5);
    if (bytes < 0 || bytes > this.#maxTableBytes) return false;
    this.#table.resize(bytes);
    return true;
  }

  /** RFC 7541 5.1. Negative: it ends early or is too large. */
  #integer(prefixBits: number): number {
    const most = (1 << prefixBits) - 1;
    let value = (this.#bytes[this.#at++] as number) & most;
    if (value < most) return value;
    for (let shift = 0; this.#at < this.#end; shift += 7) {
      const octet = this.#bytes[this.#at++] as number;
      value += (octet & 127) * 2 ** shift;
      if (value > maxInteger || shift > 28) return -1;
      if (octet < 128) return value;
    }
    return -1;
  }

  #text(): string | undefined {
    if (this.#at >= this.#end) return undefined;
    const coded = ((this.#bytes[this.#at] as number) & 0x80) !== 0;
    const length = this.#integer(7);
    if (length < 0 || length > this.#end - this.#at) return undefined;
    const start = this.#at;
    this.#at += length;
    if (coded) return decodeHuffman(this.#bytes, start, this.#at);
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, length).toString("latin1", 0, length);
  }
}

function malformed(why: string): HeaderBlock {
  return { kind: "malformed", why };
}
