/** Puts a snapshot into a data directory in place of what is there: all of it or, when the process dies, nothing. */
import { FairleadError } from "../../lib/errors.ts";
import type { Snapshot } from "../backend.ts";
import { Database } from "./database.ts";

export interface RestoreOptions {
  readonly directory: string;
  /** Objects that are there are given up. Default false: they are a reason to refuse. */
  readonly replace?: boolean;
}

/** Blocks. Throws FL_STORAGE_LOCKED while a cluster runs on the directory, FL_STORAGE when it has objects already. */
export function restoreInto({ directory, replace = false }: RestoreOptions, { revision, entries }: Snapshot): void {
  const database = new Database({ directory });
  try {
    if (!replace && !database.isEmpty)
      throw new FairleadError("FL_STORAGE", `${directory} holds a cluster's objects already`, {
        hint: "Choose another --name or --data-dir, or give up what is there with --replace.",
      });
    // Above what the old one gave out, too.
    database.replaceAll(
      Math.max(revision, database.revision + 1),
      entries.map(({ key, value, createRevision, modRevision }) => ({ key, value, createRevision, revision: modRevision })),
    );
  } finally {
    database.close();
  }
}
