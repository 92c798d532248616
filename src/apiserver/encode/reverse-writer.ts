/** Bytes of protocol buffers, written from the end to the beginning: a message's length is known when its head is due. */
export class ReverseWriter {
  #buffer: Buffer = Buffer.allocUnsafe(1024);
  /** Where what is written so far begins. */
  #at = 1024;

  /** How much is written: what is written later stands before it. */
  get length(): number {
    return this.#buffer.length - this.#at;
  }

  /** To be given to `message` when everything that belongs into the message is written. */
  mark(): number {
    return this.length;
  }

  #make(size: number): number {
    if (this.#at < size) {
      const wider = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.length + size));
      const at = wider.length - this.length;
      this.#buffer.copy(wider, at, this.#at);
      this.#buffer = wider;
      this.#at = at;
    }
    return (this.#at -= size);
  }

  raw(bytes: Uint8Array): void {
    // Room first: it may be made in another buffer.
    const at = this.#make(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** A whole number that JavaScript holds exactly; negative ones as upstream writes them, in ten bytes. */
  varint(value: number): void {
    if (value < 0) return this.#long(BigInt.asUintN(64, BigInt(value)));
    let size = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
    let at = this.#make(size);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#buffer[at++] = (rest % 128) | 128;
    this.#buffer[at] = rest;
  }

  #long(value: bigint): void {
    const bytes: number[] = [];
    let rest = value;
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
    this.raw(Uint8Array.from(bytes));
  }

  tag(number: number, wireType: number): void {
    this.varint(number * 8 + wireType);
  }

  integer(number: number, value: number): void {
    this.varint(value);
    this.tag(number, 0);
  }

  double(number: number, value: number): void {
    const at = this.#make(8);
    this.#buffer.writeDoubleLE(value, at);
    this.tag(number, 1);
  }

  text(number: number, value: string): void {
    const size = Buffer.byteLength(value);
    const at = this.#make(size);
    this.#buffer.write(value, at, size, "utf8");
    this.varint(size);
    this.tag(number, 2);
  }

  lengthDelimited(number: number, bytes: Uint8Array): void {
    this.raw(bytes);
    this.varint(bytes.length);
    this.tag(number, 2);
  }

  /** Makes a message of everything written since `mark` was `end`. */
  message(number: number, end: number): void {
    this.varint(this.length - end);
    this.tag(number, 2);
  }

  fixed32BigEndian(value: number): void {
    const at = this.#make(4);
    this.#buffer.writeUInt32BE(value, at);
  }

  /** Everything that is written, in order. The writer is not to be used afterwards. */
  bytes(): Buffer {
    return this.#buffer.subarray(this.#at);
  }
}
