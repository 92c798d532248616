/** `fairlead down`: stops a cluster and waits until it is gone. */
import { rmSync } from "node:fs";
import { FairleadError } from "../../lib/errors.ts";
import { realClock, sleep } from "../../lib/clock.ts";
import { isRunning, runningClusters, type ClusterFile } from "../cluster-file.ts";
import { findCluster, type ClusterChoice } from "../connect.ts";
import { clusterRoot } from "../paths.ts";
import type { Terminal } from "../terminal.ts";

export interface DownOptions extends ClusterChoice {
  readonly all: boolean;
  /** Removes the cluster's data as well: its objects, addresses and certificates. */
  readonly deleteData: boolean;
}

const patience = 30_000;

export async function down(options: DownOptions, terminal: Terminal): Promise<number> {
  const targets = options.all ? runningClusters() : choose(options);
  if (targets.length === 0 && !options.deleteData) terminal.note("No cluster is running.");
  for (const file of targets) await stop(file, terminal);
  if (options.deleteData) {
    const root = clusterRoot(options);
    rmSync(root, { recursive: true, force: true });
    terminal.note(`Removed ${root}`);
  }
  return 0;
}

function choose(options: DownOptions): readonly ClusterFile[] {
  try {
    return [findCluster(options)];
  } catch (error) {
    // Data of a cluster that does not run may be removed all the same.
    if (options.deleteData && error instanceof FairleadError && error.code === "FL_NOT_RUNNING") return [];
    throw error;
  }
}

async function stop(file: ClusterFile, terminal: Terminal): Promise<void> {
  const step = terminal.step(`Stopping ${file.name}`);
  process.kill(file.pid, "SIGTERM");
  const end = realClock.monotonic() + patience;
  while (isRunning(file)) {
    if (realClock.monotonic() > end) {
      step.fail();
      throw new FairleadError("FL_TIMEOUT", `${file.name} (pid ${file.pid}) has not stopped within ${patience / 1000} s`, {
        hint: `Its pods may need longer to end. 'kill -9 ${file.pid}' ends it at once.`,
      });
    }
    await keepAlive(sleep(realClock, 20));
  }
  step.done(`Stopped ${file.name}${file.ephemeral ? "; nothing is left" : ""}`);
}

/** The clock's timers let a process end; this one must not. */
async function keepAlive<T>(work: Promise<T>): Promise<T> {
  const alive = setInterval(() => undefined, 1000);
  try {
    return await work;
  } finally {
    clearInterval(alive);
  }
}
