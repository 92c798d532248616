/**
 * What a snapshot becomes in a new store. Its revisions go on far above those of the old one: whoever watched that one, and saw
 * more of it than the snapshot has, must not take the new one's revisions for what comes next. All of them are below where the
 * new store begins, so each such watch and page is told 410 and lists again (as `etcdutl snapshot restore --bump-revision
 * --mark-compacted`).
 */
import { FairleadError } from "../../lib/errors.ts";
import type { Entry, Snapshot } from "../backend.ts";
import { openSnapshot } from "./format.ts";

/** A thousand writes a second for eleven days. */
export const revisionBump = 1_000_000_000;

/** Reads a whole snapshot, and only a whole one. Throws FL_SNAPSHOT. */
export async function restoredSnapshot(bytes: AsyncIterable<Uint8Array>): Promise<Snapshot> {
  const { head, entries } = await openSnapshot(bytes);
  const revision = head.revision + revisionBump;
  if (!Number.isSafeInteger(revision)) throw new FairleadError("FL_SNAPSHOT", "the snapshot cannot be used: its revision is too large");
  const all: Entry[] = [];
  for await (const entry of entries) all.push(entry);
  return { revision, entries: all };
}
