/**
 * `<pod directory>/run.json`: how a program outside joins the surroundings of a pod of image `fairlead.dev/run`. Mode 0600,
 * complete from the moment it is there, removed with the pod.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface RunFile {
  readonly apiVersion: 1;
  /** Of the process that holds the pod, as the program's own PID namespace sees it. */
  readonly pid: number;
  /** The same process as the host's /proc shows it, where that is known. */
  readonly hostPid?: number;
  /** Field 22 of `/proc/PID/stat`: a process id that was used again is told by it. */
  readonly processStart: string;
  /** `net` → `net:[4026532001]`: names that hold in every PID namespace. Absent where the pod has none of its own. */
  readonly namespaces?: Readonly<Record<string, string>>;
  /** The container's variables, without those that describe its file system. */
  readonly env: Readonly<Record<string, string>>;
}

export interface RunInput {
  readonly podDirectory: string;
  readonly pid: number;
  readonly env: Readonly<Record<string, string>>;
  readonly hasNamespaces?: boolean;
  readonly hostPid?: number | undefined;
}

const namespaceKinds = ["net", "mnt", "uts", "user", "pid"] as const;
/** The user's own stay in force for what the user runs. */
const placeVariables = new Set(["PATH", "HOME", "TMPDIR", "LANG", "TERM", "POD_ROOT", "FAIRLEAD_POD"]);

export async function publishRun({ podDirectory, pid, env, hasNamespaces = false, hostPid }: RunInput): Promise<void> {
  const content: RunFile = {
    apiVersion: 1,
    pid,
    ...(hostPid === undefined ? {} : { hostPid }),
    processStart: startOf(pid),
    ...(hasNamespaces ? { namespaces: namespacesOf(pid) } : {}),
    env: Object.fromEntries(Object.entries(env).filter(([name]) => !placeVariables.has(name))),
  };
  const file = join(podDirectory, "run.json");
  await writeFile(`${file}.new`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function namespacesOf(pid: number): Readonly<Record<string, string>> {
  return Object.fromEntries(namespaceKinds.map((kind) => [kind, readlinkSync(`/proc/${pid}/ns/${kind}`)]));
}
