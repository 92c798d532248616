/** What a lookup gives: records, or why there are none. */
import type { LookupReason } from "./find.ts";
import type { ResourceRecord } from "./records.ts";

export type LookupResult = Answer | NoData | NameError;

export interface Answer {
  readonly kind: "answer";
  readonly reason: LookupReason;
  readonly records: readonly ResourceRecord[];
  /** Addresses of what the records name. */
  readonly additional: readonly ResourceRecord[];
  /**
   * The records are CNAMEs that leave the zone here: whoever asks resolves this name and appends what it finds; when it cannot
   * be resolved, the answer is no data.
   */
  readonly follow?: string;
}

/** The name exists and has no record of this type. */
export interface NoData {
  readonly kind: "noData";
  readonly reason: LookupReason;
}

/** The name does not exist. */
export interface NameError {
  readonly kind: "nameError";
  readonly reason: LookupReason;
}
