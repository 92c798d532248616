/** Header blocks put together from their frames (RFC 9113 6.2, 6.10) and read. */
import { errorCodes, flags } from "./codes.ts";
import { HpackDecoder, type HeaderBlock, type HeaderLimits } from "./hpack-decoder.ts";

/** A number is the code of a connection error; undefined: more frames are to come. */
export type BlockResult = { readonly block: Exclude<HeaderBlock, { kind: "malformed" }>; readonly endStream: boolean } | number | undefined;

/** As they come, packed; a client that sends more floods (CVE-2024-27316 and its like). */
const maxBlockBytes = 65_536;
const maxFrames = 32;

export class HeaderBlocks {
  readonly #decoder: HpackDecoder;
  #frames: Buffer[] = [];
  #bytes = 0;
  #endStream = false;
  #last: { readonly bytes: Buffer; readonly version: number; readonly read: HeaderBlock } | undefined;
  /** Of the block that has begun; 0: none. Until it has ended nothing else may come (6.10). */
  stream = 0;

  constructor(limits: HeaderLimits) {
    this.#decoder = new HpackDecoder(limits);
  }

  /** A HEADERS frame without its padding. */
  begin(stream: number, bits: number, payload: Buffer): BlockResult {
    let block = payload;
    if ((bits & flags.priority) !== 0) {
      if (block.length < 5) return errorCodes.frameSize;
      if ((block.readUInt32BE(0) & 0x7fff_ffff) === stream) return errorCodes.protocol;
      block = block.subarray(5);
    }
    const endStream = (bits & flags.endStream) !== 0;
    if ((bits & flags.endHeaders) !== 0) return this.#read(block, endStream);
    this.stream = stream;
    this.#endStream = endStream;
    this.#bytes = block.length;
    this.#frames = [Buffer.from(block)];
    return undefined;
  }

  /** A CONTINUATION frame. */
  goOn(bits: number, payload: Buffer): BlockResult {
    this.#frames.push(Buffer.from(payload));
    this.#bytes += payload.length;
    if (this.#bytes > maxBlockBytes || this.#frames.length > maxFrames) return errorCodes.enhanceYourCalm;
    if ((bits & flags.endHeaders) === 0) return undefined;
    const block = Buffer.concat(this.#frames);
    this.#frames = [];
    this.stream = 0;
    return this.#read(block, this.#endStream);
  }

  /** The same bytes as the last time, with the same table: the same object. */
  #read(bytes: Buffer, endStream: boolean): BlockResult {
    const { version } = this.#decoder;
    const last = this.#last;
    const known = last !== undefined && last.version === version && last.bytes.equals(bytes);
    const read = known ? last.read : this.#decoder.decode(bytes);
    if (read.kind === "malformed") return errorCodes.compression;
    if (!known && version === this.#decoder.version) this.#last = { bytes: Buffer.from(bytes), version, read };
    return { block: read, endStream };
  }
}
