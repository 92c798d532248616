/**
 * Memory for batches of datagrams, laid out once for recvmmsg and sendmmsg: headers (`struct mmsghdr`), one iovec and one address
 * for each message, and the messages themselves, all in one ArrayBuffer that lives as long as this object, so that the addresses in
 * it stay true. Linux on 64-bit machines, little-endian.
 */
import type { Libc } from "./libc.ts";

const headerBytes = 64;
const vectorBytes = 16;
const addressBytes = 32;
/** Offsets in `struct mmsghdr`. */
const nameAt = 0;
const nameLengthAt = 8;
const iovAt = 16;
const iovCountAt = 24;
const flagsAt = 48;
const lengthAt = 56;

export class MessageVector {
  readonly count: number;
  /** Bytes that one message may have. */
  readonly size: number;
  /** For the calls. */
  readonly headers: Uint8Array;
  /** Message `i`, all of its room. */
  readonly messages: readonly Uint8Array[];
  /** Its `sockaddr`, all of its room. */
  readonly addresses: readonly Uint8Array[];
  readonly #words: Uint32Array;
  readonly #iovecWords: Uint32Array;

  constructor(libc: Pick<Libc, "address">, count: number, size: number) {
    this.count = count;
    this.size = size;
    const [vectors, names] = [count * headerBytes, count * (headerBytes + vectorBytes)];
    const data = names + count * addressBytes;
    const memory = new ArrayBuffer(data + count * size);
    const base = libc.address(new Uint8Array(memory));
    const view = new DataView(memory);
    this.headers = new Uint8Array(memory, 0, vectors);
    this.messages = Array.from({ length: count }, (_, i) => new Uint8Array(memory, data + i * size, size));
    this.addresses = Array.from({ length: count }, (_, i) => new Uint8Array(memory, names + i * addressBytes, addressBytes));
    this.#words = new Uint32Array(memory, 0, vectors / 4);
    this.#iovecWords = new Uint32Array(memory, vectors, (count * vectorBytes) / 4);
    for (let i = 0; i < count; i++) {
      const header = i * headerBytes;
      const vector = vectors + i * vectorBytes;
      view.setBigUint64(header + nameAt, base + BigInt(names + i * addressBytes), true);
      view.setBigUint64(header + iovAt, base + BigInt(vector), true);
      view.setBigUint64(header + iovCountAt, 1n, true);
      view.setBigUint64(vector, base + BigInt(data + i * size), true);
      view.setBigUint64(vector + 8, BigInt(size), true);
    }
    this.clear();
  }

  /** Before receiving: the kernel shortens what it has filled. */
  clear(): void {
    for (let i = 0; i < this.count; i++) {
      this.#words[(i * headerBytes + nameLengthAt) / 4] = addressBytes;
      this.#words[(i * headerBytes + flagsAt) / 4] = 0;
    }
  }

  /** Bytes of received message `i`. */
  received(i: number): number {
    return Math.min(this.#words[(i * headerBytes + lengthAt) / 4] as number, this.size);
  }

  /** Bytes of the address of message `i`. */
  addressLength(i: number): number {
    return Math.min(this.#words[(i * headerBytes + nameLengthAt) / 4] as number, addressBytes);
  }

  /** Message `i` is to be sent: so many bytes, to the address of `from`'s message `j`. */
  address(i: number, bytes: number, from: MessageVector, j: number): void {
    (this.addresses[i] as Uint8Array).set(from.addresses[j] as Uint8Array);
    this.#prepare(i, bytes, from.addressLength(j));
  }

  /** The same, to this `sockaddr`. */
  addressTo(i: number, bytes: number, address: Uint8Array): void {
    (this.addresses[i] as Uint8Array).set(address);
    this.#prepare(i, bytes, address.length);
  }

  #prepare(i: number, bytes: number, addressLength: number): void {
    if (bytes > this.size) throw new RangeError(`${bytes} bytes where ${this.size} have room`);
    this.#words[(i * headerBytes + nameLengthAt) / 4] = addressLength;
    this.#iovecWords[(i * vectorBytes + 8) / 4] = bytes;
  }
}
