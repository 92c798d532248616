/**
 * What the control thread and the storage worker say to each other. Values travel packed into one buffer that changes
 * hands, so a message costs no copy per object and a view never drags its whole pool along.
 */
import type { ErrorCode } from "../../lib/errors.ts";

/** The worker's `workerData`. */
export interface WorkerOptions {
  readonly directory: string;
  readonly maxBytes?: number;
  /** Sends what is stored before `opened`. False for a worker that takes the place of one that died. */
  readonly content: boolean;
}

export interface Row {
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly createRevision: number;
  readonly revision: number;
}

/** Rows one after the other, see `packRows`. */
export type PackedRows = Uint8Array<ArrayBuffer>;

export type ToWorker = { readonly kind: "write"; readonly rows: PackedRows } | { readonly kind: "close" };

export type FromWorker =
  /** A part of the store's content, before `opened`. */
  | { readonly kind: "rows"; readonly rows: PackedRows }
  | { readonly kind: "opened"; readonly revision: number }
  /** Nothing was opened. */
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly message: string; readonly hint?: string }
  /** Answers to `write`, in order. */
  | { readonly kind: "committed" }
  | { readonly kind: "rejected"; readonly message: string }
  | { readonly kind: "warning"; readonly message: string; readonly error: string }
  | { readonly kind: "closed" };

/** Of each row: length of the key, length of the value or -1 for null, both revisions, key, value. Little endian. */
const headBytes = 4 + 4 + 8 + 8;

export function packRows(rows: readonly Row[]): PackedRows {
  const keyBytes = rows.map(({ key }) => Buffer.byteLength(key));
  const size = rows.reduce((sum, { value }, i) => sum + headBytes + (keyBytes[i] as number) + (value?.byteLength ?? 0), 0);
  const packed = Buffer.allocUnsafeSlow(size);
  let offset = 0;
  for (const [i, { key, value, createRevision, revision }] of rows.entries()) {
    offset = packed.writeUInt32LE(keyBytes[i] as number, offset);
    offset = packed.writeInt32LE(value?.byteLength ?? -1, offset);
    offset = packed.writeDoubleLE(createRevision, offset);
    offset = packed.writeDoubleLE(revision, offset);
    offset += packed.write(key, offset);
    if (value === null) continue;
    packed.set(value, offset);
    offset += value.byteLength;
  }
  return packed as PackedRows;
}

/** The values are views into the packed buffer. */
export function unpackRows(rows: PackedRows): Row[] {
  const packed = Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength);
  const unpacked: Row[] = [];
  for (let offset = 0; offset < packed.length;) {
    const [keyLength, valueLength] = [packed.readUInt32LE(offset), packed.readInt32LE(offset + 4)];
    const [createRevision, revision] = [packed.readDoubleLE(offset + 8), packed.readDoubleLE(offset + 16)];
    const keyEnd = offset + headBytes + keyLength;
    const key = packed.toString("utf8", offset + headBytes, keyEnd);
    offset = keyEnd + Math.max(0, valueLength);
    unpacked.push({ key, value: valueLength < 0 ? null : packed.subarray(keyEnd, offset), createRevision, revision });
  }
  return unpacked;
}
