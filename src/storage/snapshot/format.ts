/**
 * A snapshot as a file: everything that a store held at one revision, as lines of JSON that `jq` and `grep` read. A head, a
 * line per object, and an end with the number of objects and the SHA-256 of all bytes before it: a file that was cut off or
 * changed is known by it, as with etcd's snapshots (etcd `etcdutl/snapshot`). Values must be JSON.
 *
 *     {"kind":"FairleadSnapshot","version":1,"revision":812,"takenAt":"2026-11-21T09:28:27Z"}
 *     {"key":"/registry/services/default/web","createRevision":5,"modRevision":9,"value":{"kind":"Service",…}}
 *     {"count":1,"sha256":"…"}
 */
import { createHash } from "node:crypto";
import { FairleadError } from "../../lib/errors.ts";
import type { Entry } from "../backend.ts";
import { readLines } from "./lines.ts";

export interface SnapshotHead {
  readonly revision: number;
  /** RFC 3339 */
  readonly takenAt: string;
}

const kind = "FairleadSnapshot";
const formatVersion = 1;
const chunkBytes = 128 * 1024;
const newline = Buffer.from("\n");

/** The file, piece by piece; entries are asked for as the pieces are. */
export async function* writeSnapshot(head: SnapshotHead, entries: Iterable<Entry>): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let count = 0;
  let size = 0;
  let parts: Uint8Array[] = [];
  const take = (): Uint8Array => {
    const chunk = Buffer.concat(parts);
    [parts, size] = [[], 0];
    hash.update(chunk);
    return chunk;
  };
  parts.push(Buffer.from(`${JSON.stringify({ kind, version: formatVersion, revision: head.revision, takenAt: head.takenAt })}\n`));
  for (const { key, createRevision, modRevision, value } of entries) {
    parts.push(Buffer.from(`{"key":${JSON.stringify(key)},"createRevision":${createRevision},"modRevision":${modRevision},"value":`));
    parts.push(value, lineEnd);
    count += 1;
    if ((size += value.byteLength) >= chunkBytes) yield take();
  }
  yield take();
  yield Buffer.from(`${JSON.stringify({ count, sha256: hash.digest("hex") })}\n`);
}

const lineEnd = Buffer.from("}\n");

export interface OpenSnapshot {
  readonly head: SnapshotHead;
  /** Ends well only when the end of the file was there and right. Throws FL_SNAPSHOT. */
  readonly entries: AsyncGenerator<Entry>;
}

/** Reads the head. Throws FL_SNAPSHOT for what is no snapshot of a version that is known. */
export async function openSnapshot(bytes: AsyncIterable<Uint8Array>): Promise<OpenSnapshot> {
  const lines = readLines(bytes);
  const first = await lines.next();
  if (first.done === true) throw damaged("it is empty");
  const hash = createHash("sha256").update(first.value).update(newline);
  const head = parsed(first.value);
  if (head["kind"] !== kind) throw damaged("it is no snapshot of Fairlead");
  if (head["version"] !== formatVersion)
    throw damaged(`it has version ${String(head["version"])}, this Fairlead reads version ${formatVersion}`);
  const { revision, takenAt } = head;
  if (!isRevision(revision) || typeof takenAt !== "string") throw damaged("its head is not whole");
  return { head: { revision, takenAt }, entries: readEntries(lines, hash, revision) };
}

async function* readEntries(lines: AsyncGenerator<Buffer>, hash: ReturnType<typeof createHash>, newest: number): AsyncGenerator<Entry> {
  let count = 0;
  const keys = new Set<string>();
  for await (const line of lines) {
    const fields = parsed(line);
    if (typeof fields["sha256"] === "string") {
      const sum = hash.digest("hex");
      if (fields["count"] !== count || fields["sha256"] !== sum) throw damaged("its content is not what was written: the checksum differs");
      if ((await lines.next()).done !== true) throw damaged("something follows its end");
      return;
    }
    const entry = entryOf(fields, line);
    if (keys.has(entry.key)) throw damaged(`${entry.key} is in it twice`);
    if (entry.modRevision > newest) throw damaged(`${entry.key} is newer than the snapshot`);
    keys.add(entry.key);
    hash.update(line).update(newline);
    count += 1;
    yield entry;
  }
  throw damaged("its end is missing");
}

function entryOf({ key, createRevision, modRevision, value }: Readonly<Record<string, unknown>>, line: Buffer): Entry {
  if (typeof key !== "string" || !isRevision(createRevision) || !isRevision(modRevision) || value === undefined)
    throw damaged("a line of it is no object");
  // As written, to the byte: within the key the quotes would be escaped.
  const start = line.indexOf(valueMark) + valueMark.length;
  return { key, createRevision, modRevision, value: line.subarray(start, line.length - 1) };
}

const valueMark = Buffer.from(',"value":');

function isRevision(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function parsed(line: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line.toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw damaged("a line of it is no JSON", error);
  }
  throw damaged("a line of it is no object");
}

function damaged(why: string, cause?: unknown): FairleadError {
  return new FairleadError("FL_SNAPSHOT", `the snapshot cannot be used: ${why}`, { cause });
}
