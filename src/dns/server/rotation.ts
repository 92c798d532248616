/** Another order of the addresses of an answer, in its bytes: records of one size that stand together change places. */
import { recordTypes } from "../../decide/dns/records.ts";

export interface Rotation {
  /** Of the first record. */
  readonly offset: number;
  /** Bytes of each. */
  readonly size: number;
  readonly count: number;
}

const headerBytes = 12;
/** Of a record's owner when it is a pointer, type, class, TTL and length. */
const fixedBytes = 12;

/** Undefined when there are no two address records of one size next to each other. */
export function rotationOf(response: Uint8Array): Rotation | undefined {
  const view = new DataView(response.buffer, response.byteOffset, response.length);
  const answers = view.getUint16(6);
  if (view.getUint16(4) !== 1 || answers < 2) return undefined;
  let at = afterName(response, headerBytes) + 4;
  let found: { offset: number; size: number; count: number } | undefined;
  for (let i = 0; i < answers; i++) {
    const start = at;
    const fixed = afterName(response, at);
    const type = view.getUint16(fixed);
    at = fixed + 10 + view.getUint16(fixed + 8);
    const pointer = ((response[start] as number) & 0xc0) === 0xc0 && fixed - start + 10 === fixedBytes;
    const address = pointer && (type === recordTypes.A || type === recordTypes.AAAA);
    if (!address) {
      if (found !== undefined) break;
    } else if (found === undefined) found = { offset: start, size: at - start, count: 1 };
    else if (found.size === at - start) found.count++;
    else break;
  }
  return found !== undefined && found.count > 1 ? found : undefined;
}

function afterName(bytes: Uint8Array, from: number): number {
  for (let at = from; ;) {
    const size = bytes[at] as number;
    if (size === 0) return at + 1;
    if (size >= 0xc0) return at + 2;
    at += size + 1;
  }
}

/** The record whose turn it is comes first, the first takes its place. */
export function rotate(bytes: Uint8Array, { offset, size, count }: Rotation, turn: number): void {
  const other = offset + (turn % count) * size;
  if (other === offset) return;
  for (let i = 0; i < size; i++) {
    const byte = bytes[offset + i] as number;
    bytes[offset + i] = bytes[other + i] as number;
    bytes[other + i] = byte;
  }
}

/** Where the TTLs of all records stand; that of an OPT record is none. */
export function ttlOffsets(response: Uint8Array): readonly number[] {
  const view = new DataView(response.buffer, response.byteOffset, response.length);
  let at = headerBytes;
  for (let i = view.getUint16(4); i > 0; i--) at = afterName(response, at) + 4;
  const offsets: number[] = [];
  for (let i = view.getUint16(6) + view.getUint16(8) + view.getUint16(10); i > 0; i--) {
    const fixed = afterName(response, at);
    if (view.getUint16(fixed) !== recordTypes.OPT) offsets.push(fixed + 4);
    at = fixed + 10 + view.getUint16(fixed + 8);
  }
  return offsets;
}

/** Takes seconds from each TTL; none goes below zero. */
export function age(bytes: Uint8Array, offsets: readonly number[], seconds: number): void {
  for (let i = 0; i < offsets.length; i++) {
    const at = offsets[i] as number;
    const ttl =
      (bytes[at] as number) * 0x100_0000 +
      (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
    const left = Math.max(0, ttl - seconds);
    bytes[at] = left >>> 24;
    bytes[at + 1] = (left >>> 16) & 255;
    bytes[at + 2] = (left >>> 8) & 255;
    bytes[at + 3] = left & 255;
  }
}
