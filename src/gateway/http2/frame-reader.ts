/** Cuts a stream of bytes into frames (RFC 9113 4.1). Pure; what a frame means is the connection's affair. */
import { frameBytes, frameHeaderBytes } from "./codes.ts";

/** Gets each frame; `payload` is its own only until it returns. False: no further frame is wanted. */
export type OnFrame = (type: number, flags: number, stream: number, payload: Buffer) => boolean;

const none = Buffer.alloc(0);

export class FrameReader {
  #rest: Buffer = none;

  /** False: a frame that is longer than we said we take, or `onFrame` wanted no more. */
  push(bytes: Buffer, onFrame: OnFrame, tooLong: (stream: number) => void): boolean {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    this.#rest = none;
    let at = 0;
    while (all.length - at >= frameHeaderBytes) {
      const length = ((all[at] as number) << 16) | ((all[at + 1] as number) << 8) | (all[at + 2] as number);
      // The highest bit is reserved and means nothing.
      const stream = all.readUInt32BE(at + 5) & 0x7fff_ffff;
      if (length > frameBytes) {
        tooLong(stream);
        return false;
      }
      const end = at + frameHeaderBytes + length;
      if (end > all.length) break;
      if (!onFrame(all[at + 3] as number, all[at + 4] as number, stream, all.subarray(at + frameHeaderBytes, end))) return false;
      at = end;
    }
    // `bytes` is the caller's again.
    if (at < all.length) this.#rest = Buffer.from(all.subarray(at));
    return true;
  }
}
