/**
 * `cluster.json`: what a running cluster says of itself, so that other commands find it. Written when it is ready,
 * removed when it stops; a file whose process is gone (or whose pid is somebody else's by now) counts as not running.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errnoCode } from "../lib/errors.ts";
import { clusterPaths, dataHome } from "./paths.ts";

export interface ClusterFile {
  readonly name: string;
  readonly pid: number;
  /** The process' start in clock ticks since boot (`/proc/PID/stat`, field 22); "" where there is no /proc. */
  readonly processStart: string;
  readonly startedAt: string;
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  readonly kubeconfig: string;
  readonly mode: string;
  readonly version: string;
  /** Removed with its directory when it stops. */
  readonly ephemeral: boolean;
  /** The URL of its web console, with its token; absent: it has none. */
  readonly console?: string;
}

/** Undefined when there is no such process, or it has ended and only waits for its parent to notice (a zombie). */
export function processStart(pid: number): string | undefined {
  try {
    // The second field, the command in parentheses, may hold blanks and parentheses itself: count from behind it.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch (error) {
    if (errnoCode(error) !== "ENOENT") throw error;
    return undefined;
  }
}

/** Whether the process that wrote the file still runs. */
export function isRunning(file: Pick<ClusterFile, "pid" | "processStart">): boolean {
  try {
    process.kill(file.pid, 0);
  } catch (error) {
    if (errnoCode(error) !== "EPERM") return false;
  }
  return file.processStart === "" || processStart(file.pid) === file.processStart;
}

export function writeClusterFile(path: string, file: ClusterFile): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function readClusterFile(path: string): ClusterFile | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ClusterFile;
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

export function removeClusterFile(path: string): void {
  rmSync(path, { force: true });
}

/** Takes a cluster out of the registry, and the registry's directories with it when it was the last. */
export function unregister(name: string, env: NodeJS.ProcessEnv = process.env): void {
  const path = registryPath(name, env);
  rmSync(path, { force: true });
  for (const directory of [dirname(path), dataHome(env)]) {
    try {
      rmdirSync(directory);
    } catch (error) {
      if (!["ENOTEMPTY", "EEXIST", "ENOENT"].includes(errnoCode(error) ?? "")) throw error;
      return;
    }
  }
}

/** The clusters of this user that run now: those in the data home, and those kept elsewhere that registered there. */
export function runningClusters(env: NodeJS.ProcessEnv = process.env): readonly ClusterFile[] {
  const home = dataHome(env);
  const named = namesIn(join(home, "clusters")).map((name) => clusterPaths(join(home, "clusters", name)).clusterFile);
  const elsewhere = namesIn(join(home, "running"))
    .filter((name) => name.endsWith(".json"))
    .map((name) => join(home, "running", name));
  const byPid = new Map<number, ClusterFile>();
  for (const path of [...named, ...elsewhere]) {
    const file = readClusterFile(path);
    if (file !== undefined && isRunning(file)) byPid.set(file.pid, file);
  }
  return [...byPid.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Where a cluster that lives outside the data home (`--data-dir`, `--ephemeral`) is registered. */
export function registryPath(name: string, env: NodeJS.ProcessEnv = process.env): string {
  return join(dataHome(env), "running", `${name}.json`);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return [];
    throw error;
  }
}
