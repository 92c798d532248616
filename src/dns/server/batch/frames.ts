/**
 * Many small messages between threads as one run of bytes, which changes hands instead of being cloned: a question that a thread
 * does not know, an answer to it, an answer to keep. Numbers are little-endian; lengths have 16 bits.
 */

/** What is written until it is taken; the next run begins empty. */
export class FrameWriter {
  #bytes = new Uint8Array(firstBytes);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get empty(): boolean {
    return this.#length === 0;
  }

  number(value: number): this {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
    return this;
  }

  /** At most 65,535 bytes. `length`: of the first of them. */
  bytes(value: Uint8Array, length: number = value.length): this {
    this.#reserve(2 + length);
    this.#view.setUint16(this.#length, length, true);
    this.#length += 2;
    for (let i = 0; i < length; i++) this.#bytes[this.#length + i] = value[i] as number;
    this.#length += length;
    return this;
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value));
  }

  /** All that was written, in memory of its own. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    if (this.#bytes.length > mostIdleBytes) this.#use(new Uint8Array(firstBytes));
    return taken;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#use(grown);
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

const firstBytes = 16 * 1024;
/** A larger buffer is not held on to once it has been emptied. */
const mostIdleBytes = 256 * 1024;

/** Reads what a writer wrote, in its order. */
export class FrameReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(): number {
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }

  /** A view: whoever keeps it keeps the whole run. */
  bytes(): Uint8Array {
    const length = this.#view.getUint16(this.#at, true);
    const start = this.#at + 2;
    this.#at = start + length;
    return this.#bytes.subarray(start, this.#at);
  }

  text(): string {
    return Buffer.from(this.bytes()).toString();
  }
}
