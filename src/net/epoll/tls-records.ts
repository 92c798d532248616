/** Where TLS records begin and end in what comes (RFC 8446 5.1: type, version, length, then so many bytes). */

const headerBytes = 5;

export class RecordEdges {
  /** Of the record under way: bytes of its header so far, then bytes of its payload that are to come. */
  #header = 0;
  #left = 0;
  #length = 0;

  /** Whether `bytes` are one whole record and nothing else. */
  push(bytes: Uint8Array): boolean {
    if (this.#header === 0 && bytes.length > headerBytes && lengthAt(bytes, 0) === bytes.length - headerBytes) return true;
    for (let at = 0; at < bytes.length;) {
      if (this.#left > 0) {
        const take = Math.min(this.#left, bytes.length - at);
        this.#left -= take;
        at += take;
        if (this.#left === 0) this.#header = 0;
      } else at = this.#readHeader(bytes, at);
    }
    return false;
  }

  #readHeader(bytes: Uint8Array, at: number): number {
    if (this.#header >= 3) this.#length = (this.#length << 8) | (bytes[at] as number);
    this.#header += 1;
    if (this.#header === headerBytes) {
      this.#left = this.#length;
      this.#length = 0;
      if (this.#left === 0) this.#header = 0;
    }
    return at + 1;
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number);
}
