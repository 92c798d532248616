/**
 * SPDY/3.1 frames (draft-mbelshe-httpbis-spdy-00, 2.2). Of the protocol this is the part that Kubernetes' clients speak: streams,
 * data, resets, pings and goodbyes. Pure.
 */

export type Frame =
  | { readonly kind: "data"; readonly stream: number; readonly fin: boolean; readonly data: Buffer }
  | { readonly kind: "syn-stream"; readonly stream: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly kind: "syn-reply"; readonly stream: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly kind: "rst-stream"; readonly stream: number; readonly status: number }
  | { readonly kind: "ping"; readonly id: number }
  | { readonly kind: "goaway"; readonly lastStream: number; readonly status: number }
  | { readonly kind: "headers"; readonly stream: number; readonly fin: boolean; readonly block: Buffer }
  /** SETTINGS, WINDOW_UPDATE and what else may come: read over, as the protocol demands. */
  | { readonly kind: "other"; readonly type: number };

export interface FrameFault {
  readonly kind: "fault";
  readonly message: string;
}

const version = 3;
const types = { synStream: 1, synReply: 2, rstStream: 3, settings: 4, ping: 6, goaway: 7, headers: 8 } as const;
const finFlag = 0x01;
/** Bytes of one frame. Go's clients write pieces of 32 KiB. */
export const maxFrame = 1 << 20;
const headLength = 8;

export function encodeData(stream: number, data: Uint8Array, fin = false): Buffer {
  const head = Buffer.alloc(headLength);
  head.writeUInt32BE(stream);
  writeLength(head, fin ? finFlag : 0, data.length);
  return data.length === 0 ? head : Buffer.concat([head, data]);
}

export const encodeSynReply = (stream: number, block: Buffer): Buffer => control(types.synReply, 0, number(stream), block);

/** What a client begins a stream with; `associated`, priority and slot are 0. */
export const encodeSynStream = (stream: number, block: Buffer, fin = false): Buffer =>
  control(types.synStream, fin ? finFlag : 0, number(stream), number(0), Buffer.alloc(2), block);

export const encodeRstStream = (stream: number, status: number): Buffer => control(types.rstStream, 0, number(stream), number(status));

export const encodePing = (id: number): Buffer => control(types.ping, 0, number(id));

export const encodeGoAway = (lastStream: number): Buffer => control(types.goaway, 0, number(lastStream), number(0));

function control(type: number, flags: number, ...parts: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(headLength);
  head.writeUInt16BE(0x8000 | version);
  head.writeUInt16BE(type, 2);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  writeLength(head, flags, length);
  return Buffer.concat([head, ...parts]);
}

function writeLength(head: Buffer, flags: number, length: number): void {
  head.writeUInt8(flags, 4);
  head.writeUIntBE(length, 5, 3);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #held: Buffer[] = [];
  #size = 0;

  /** The frames that are whole now. After a fault nothing more can be read. */
  read(chunk: Buffer): readonly (Frame | FrameFault)[] {
    this.#held.push(chunk);
    this.#size += chunk.length;
    const frames: (Frame | FrameFault)[] = [];
    for (;;) {
      const whole = this.#next();
      if (whole === undefined) return frames;
      const frame = Buffer.isBuffer(whole) ? decode(whole) : whole;
      frames.push(frame);
      if (frame.kind === "fault") return frames;
    }
  }

  #next(): Buffer | FrameFault | undefined {
    if (this.#size < headLength) return undefined;
    const head = this.#join(headLength);
    const length = head.readUIntBE(5, 3);
    if (length > maxFrame) return { kind: "fault", message: `a frame of ${length} bytes; the limit is ${maxFrame}` };
    if (this.#size < headLength + length) return undefined;
    const all = this.#join(headLength + length);
    const frame = all.subarray(0, headLength + length);
    this.#held = [all.subarray(headLength + length)];
    this.#size -= frame.length;
    return frame;
  }

  /** The first piece, made at least so long. */
  #join(length: number): Buffer {
    const [first] = this.#held;
    if (first !== undefined && first.length >= length) return first;
    const all = Buffer.concat(this.#held);
    this.#held = [all];
    return all;
  }
}

function decode(frame: Buffer): Frame | FrameFault {
  const first = frame.readUInt32BE();
  const fin = (frame.readUInt8(4) & finFlag) !== 0;
  const body = frame.subarray(headLength);
  if (first < 0x8000_0000) return { kind: "data", stream: first, fin, data: body };
  if (((first >>> 16) & 0x7fff) !== version) return { kind: "fault", message: `SPDY version ${(first >>> 16) & 0x7fff}` };
  return decodeControl(first & 0xffff, fin, body) ?? { kind: "fault", message: `a control frame of type ${first & 0xffff} is too short` };
}

function decodeControl(type: number, fin: boolean, body: Buffer): Frame | undefined {
  const needed: Readonly<Record<number, number>> = { 1: 10, 2: 4, 3: 8, 6: 4, 7: 8, 8: 4 };
  if (body.length < (needed[type] ?? 0)) return undefined;
  const first = body.length >= 4 ? body.readUInt32BE() & 0x7fff_ffff : 0;
  switch (type) {
    case types.synStream:
      return { kind: "syn-stream", stream: first, fin, block: body.subarray(10) };
    case types.synReply:
      return { kind: "syn-reply", stream: first, fin, block: body.subarray(4) };
    case types.headers:
      return { kind: "headers", stream: first, fin, block: body.subarray(4) };
    case types.rstStream:
      return { kind: "rst-stream", stream: first, status: body.readUInt32BE(4) };
    case types.ping:
      return { kind: "ping", id: body.readUInt32BE() };
    case types.goaway:
      return { kind: "goaway", lastStream: first, status: body.readUInt32BE(4) };
    default:
      return { kind: "other", type };
  }
}
