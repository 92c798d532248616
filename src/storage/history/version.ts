/** One version of one object, as history keeps it: a line of JSON, the value as it was stored. */
import { FairleadError } from "../../lib/errors.ts";

export interface Version {
  readonly key: string;
  readonly revision: number;
  readonly createRevision: number;
  /** Milliseconds since the epoch; of what was there when the history began: that moment. */
  readonly time: number;
  /** JSON; null: deleted. */
  readonly value: Uint8Array | null;
}

const newline = Buffer.from("\n");
const lineEnd = Buffer.from("}\n");
const valueMark = Buffer.from(',"value":');

export function versionLine({ key, revision, createRevision, time, value }: Version): Buffer {
  const head = `{"key":${JSON.stringify(key)},"revision":${revision},"createRevision":${createRevision},"time":${time}`;
  return value === null
    ? Buffer.concat([Buffer.from(`${head}}`), newline])
    : Buffer.concat([Buffer.from(`${head},"value":`), value, lineEnd]);
}

/** Throws FL_STORAGE for what `versionLine` did not write. */
export function readVersion(line: Buffer): Version {
  const at = line.indexOf(valueMark);
  try {
    // The head alone: values are large, and most of them nobody asks for.
    const head = JSON.parse(at < 0 ? line.toString("utf8") : `${line.toString("utf8", 0, at)}}`) as Omit<Version, "value">;
    const { key, revision, createRevision, time } = head;
    return { key, revision, createRevision, time, value: at < 0 ? null : line.subarray(at + valueMark.length, line.length - 1) };
  } catch (error) {
    throw new FairleadError("FL_STORAGE", "the history is damaged: a line of it is no version", { cause: error });
  }
}
