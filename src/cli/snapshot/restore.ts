/** `fairlead snapshot restore FILE`: a snapshot becomes the store of a cluster that does not run. */
import { createReadStream } from "node:fs";
import { restoredSnapshot } from "../../storage/snapshot/restore.ts";
import { restoreInto } from "../../storage/sqlite/restore.ts";
import { FairleadError } from "../../lib/errors.ts";
import { clusterPaths, clusterRoot } from "../paths.ts";
import { isRunning, readClusterFile } from "../cluster-file.ts";
import type { ClusterChoice } from "../connect.ts";
import type { Terminal } from "../terminal.ts";

export interface RestoreOptions extends ClusterChoice {
  readonly replace: boolean;
}

/** Throws FL_SNAPSHOT, FL_ALREADY_RUNNING, FL_STORAGE, FL_STORAGE_LOCKED. */
export async function restore(file: string, options: RestoreOptions, terminal: Terminal): Promise<number> {
  const paths = clusterPaths(clusterRoot(options));
  const running = readClusterFile(paths.clusterFile);
  if (running !== undefined && isRunning(running))
    throw new FairleadError("FL_ALREADY_RUNNING", `cluster ${JSON.stringify(running.name)} is running`, {
      hint: "Stop it first (fairlead down), or restore into another one with --name.",
    });
  const snapshot = await restoredSnapshot(createReadStream(file));
  restoreInto({ directory: paths.store, replace: options.replace }, snapshot);
  terminal.print(`restored ${snapshot.entries.length} objects into ${paths.store}; its revisions go on after ${snapshot.revision}`);
  return 0;
}
