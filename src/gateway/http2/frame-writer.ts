/** Gathers frames (RFC 9113 4.1, 6), so that many leave with one write. */
import { flags, frameBytes, frameHeaderBytes, frameTypes } from "./codes.ts";

const firstBytes = 32_768;
const noFrame = -1;

export class FrameWriter {
  #buffer = Buffer.allocUnsafeSlow(firstBytes);
  #length = 0;
  /** Where the last frame's flags are, if it may still bear the end of its stream. */
  #endAt = noFrame;
  #endStream = 0;

  get length(): number {
    return this.#length;
  }

  /** What was gathered. It is overwritten by what comes next, unless `keep` was called. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    this.#endAt = noFrame;
    return taken;
  }

  /** What was taken is still in use elsewhere. */
  keep(): void {
    this.#buffer = Buffer.allocUnsafeSlow(firstBytes);
  }

  data(stream: number, bytes: Uint8Array, endStream: boolean): void {
    const at = this.#frame(frameTypes.data, endStream ? flags.endStream : 0, stream, bytes.length);
    this.#buffer.set(bytes, at);
    if (!endStream) this.#mayEnd(at, stream);
  }

  /** A block in as many frames as it needs, of parts that follow each other. */
  headers(stream: number, parts: readonly Uint8Array[], endStream: boolean): void {
    let length = 0;
    for (const part of parts) length += part.length;
    const end = endStream ? flags.endStream : 0;
    if (length > frameBytes) return this.#longHeaders(stream, Buffer.concat(parts), end);
    const payloadAt = this.#frame(frameTypes.headers, flags.endHeaders | end, stream, length);
    let at = payloadAt;
    for (const part of parts) {
      this.#buffer.set(part, at);
      at += part.length;
    }
    if (!endStream) this.#mayEnd(payloadAt, stream);
  }

  #longHeaders(stream: number, block: Buffer, end: number): void {
    this.#fill(this.#frame(frameTypes.headers, end, stream, frameBytes), block.subarray(0, frameBytes));
    for (let from = frameBytes; from < block.length; from += frameBytes) {
      const piece = block.subarray(from, from + frameBytes);
      const last = from + frameBytes >= block.length;
      this.#fill(this.#frame(frameTypes.continuation, last ? flags.endHeaders : 0, stream, piece.length), piece);
    }
  }

  /** The last frame, of headers or data of this stream, becomes its end. False: it has left already, or is not the last. */
  endLast(stream: number): boolean {
    if (this.#endAt === noFrame || this.#endStream !== stream) return false;
    this.#buffer[this.#endAt] = (this.#buffer[this.#endAt] as number) | flags.endStream;
    this.#endAt = noFrame;
    return true;
  }

  settings(values: readonly (readonly [id: number, value: number])[]): void {
    let at = this.#frame(frameTypes.settings, 0, 0, values.length * 6);
    for (const [id, value] of values) {
      this.#buffer.writeUInt16BE(id, at);
      this.#buffer.writeUInt32BE(value, at + 2);
      at += 6;
    }
  }

  settingsAck(): void {
    this.#frame(frameTypes.settings, flags.ack, 0, 0);
  }

  pingAck(payload: Uint8Array): void {
    this.#fill(this.#frame(frameTypes.ping, flags.ack, 0, 8), payload);
  }

  goaway(lastStream: number, code: number): void {
    const at = this.#frame(frameTypes.goaway, 0, 0, 8);
    this.#buffer.writeUInt32BE(lastStream, at);
    this.#buffer.writeUInt32BE(code, at + 4);
  }

  reset(stream: number, code: number): void {
    const at = this.#frame(frameTypes.reset, 0, stream, 4);
    this.#buffer.writeUInt32BE(code, at);
  }

  windowUpdate(stream: number, increment: number): void {
    const at = this.#frame(frameTypes.windowUpdate, 0, stream, 4);
    this.#buffer.writeUInt32BE(increment, at);
  }

  /** Bytes that are no frame: a client's preface. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #mayEnd(payloadAt: number, stream: number): void {
    this.#endAt = payloadAt - frameHeaderBytes + 4;
    this.#endStream = stream;
  }

  #fill(at: number, payload: Uint8Array): void {
    this.#buffer.set(payload, at);
  }

  /** Where its payload goes. The buffer may be another afterwards. */
  #frame(type: number, bits: number, stream: number, length: number): number {
    this.#reserve(frameHeaderBytes + length);
    const buffer = this.#buffer;
    const at = this.#length;
    buffer[at] = length >> 16;
    buffer[at + 1] = length >> 8;
    buffer[at + 2] = length;
    buffer[at + 3] = type;
    buffer[at + 4] = bits;
    buffer.writeUInt32BE(stream, at + 5);
    this.#length = at + frameHeaderBytes + length;
    this.#endAt = noFrame;
    return at + frameHeaderBytes;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}
