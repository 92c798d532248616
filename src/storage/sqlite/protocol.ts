/**
 * What the control thread and the storage worker say to each other. Values travel packed into one buffer that changes
 * hands, so a message costs no copy per object and a view never drags its whole pool along.
 */
import type { ErrorCode } from "../../lib/errors.ts";

/** The worker's `workerData`. */
export interface WorkerOptions {
  readonly directory: string;
  readonly maxBytes?: number;
}

/** Rows beside their values: value `i` is the next `lengths[i]` bytes of `values`; -1 is null, a delete. */
export interface PackedRows {
  readonly keys: readonly string[];
  readonly lengths: readonly number[];
  readonly createRevisions: readonly number[];
  readonly revisions: readonly number[];
  readonly values: Uint8Array<ArrayBuffer>;
}

export interface Row {
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly createRevision: number;
  readonly revision: number;
}

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

export function packRows(rows: readonly Row[]): PackedRows {
  const values = new Uint8Array(rows.reduce((sum, row) => sum + (row.value?.byteLength ?? 0), 0));
  let offset = 0;
  for (const { value } of rows) {
    if (value === null) continue;
    values.set(value, offset);
    offset += value.byteLength;
  }
  return {
    keys: rows.map((row) => row.key),
    lengths: rows.map((row) => row.value?.byteLength ?? -1),
    createRevisions: rows.map((row) => row.createRevision),
    revisions: rows.map((row) => row.revision),
    values,
  };
}

/** The values are views into the packed buffer. */
export function unpackRows(packed: PackedRows): Row[] {
  let offset = 0;
  return packed.keys.map((key, i) => {
    const length = packed.lengths[i] as number;
    const value = length < 0 ? null : packed.values.subarray(offset, (offset += length));
    return { key, value, createRevision: packed.createRevisions[i] as number, revision: packed.revisions[i] as number };
  });
}
