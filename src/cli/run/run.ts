/**
 * `fairlead run -- CMD…`: a command of this machine inside the cluster's network, with its DNS, search path and Service variables.
 * It makes a pod whose only process holds the surroundings; the command itself is a child of this process: the user's own files,
 * terminal and rights. The pod goes with the command, however either of them ends.
 */
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pods } from "../../api/resources.ts";
import type { Pod } from "../../api/types.ts";
import { findInNamespaces, isInNamespaces, startJoined, type JoinedProcess, type Surroundings } from "../../host/join.ts";
import type { RunFile } from "../../kubelet/runtime/process/run-file.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { ClusterFile } from "../cluster-file.ts";
import { connect, findCluster, type ClusterChoice } from "../connect.ts";
import { findProgram } from "./find-program.ts";
import { holdOn, remove, runPod, started } from "./run-pod.ts";
import type { Terminal } from "../terminal.ts";

export interface RunOptions extends ClusterChoice {
  readonly namespace: string;
  /** The command and its words. */
  readonly command: readonly string[];
}

/** Resolves with the command's exit code, or 128 and the number of the signal that ended it. */
export async function run(options: RunOptions, terminal: Terminal): Promise<number> {
  const [word = "", ...args] = options.command;
  const program = findProgram(word, process.env["PATH"] ?? "", process.cwd());
  if (program === undefined) {
    terminal.note(`fairlead run: ${word}: command not found`);
    return 127;
  }
  const cluster = findCluster(options);
  const connection = await connect(cluster.kubeconfig);
  const holdDirectory = mkdtempSync(join(temporaryDirectory(), "fairlead-run-"));
  const socketPath = join(holdDirectory, "hold");
  let pod: Pod | undefined;
  try {
    pod = await connection.client.create(pods, runPod(options, socketPath));
    const file = await started(connection.client, pod, cluster);
    const hold = await holdOn(socketPath);
    const surroundings = surroundingsOf(file, cluster);
    if (surroundings === undefined) terminal.note(loopbackNote);
    const env = { ...process.env, ...file.env };
    return await follow(
      startJoined({ program, args, env, directory: process.cwd(), ...(surroundings === undefined ? {} : { surroundings }) }),
      hold,
      terminal,
    );
  } finally {
    if (pod !== undefined) await remove(connection.client, pod);
    await connection.close();
    rmSync(holdDirectory, { recursive: true, force: true });
  }
}

/** A socket's path has 107 bytes at most (unix(7)). */
function temporaryDirectory(): string {
  return Buffer.byteLength(tmpdir()) <= 80 ? tmpdir() : "/tmp";
}

const loopbackNote =
  "fairlead run: this cluster runs in loopback mode: Services and names are reached by programs that heed HTTP_PROXY or ALL_PROXY; " +
  "others reach Services by address, and no names.";

function surroundingsOf({ namespaces, hostPid }: RunFile, cluster: ClusterFile): Surroundings | undefined {
  if (namespaces === undefined) return undefined;
  // A process id may be another's by now; namespaces are not.
  const pid = hostPid !== undefined && isInNamespaces(hostPid, namespaces) ? hostPid : findInNamespaces(namespaces);
  if (pid === undefined)
    throw new FairleadError("FL_RUNTIME", "the pod's process cannot be found", { hint: "Run it as the user who started the cluster." });
  return { pid, ownerPid: cluster.pid };
}

/** Signals go on to the command; those of the terminal have reached it already. */
async function follow(child: JoinedProcess, hold: Socket, terminal: Terminal): Promise<number> {
  const fromTerminal = process.stdin.isTTY;
  const pass = (signal: NodeJS.Signals) =>
    fromTerminal && (signal === "SIGINT" || signal === "SIGQUIT") ? undefined : child.signal(signal);
  const names = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"] as const;
  for (const name of names) process.on(name, pass);
  hold.once("close", () => {
    terminal.note("fairlead run: the pod has ended (it was deleted, or the cluster has stopped)");
    child.signal("SIGTERM");
  });
  try {
    return await child.exited;
  } finally {
    hold.removeAllListeners("close").destroy();
    for (const name of names) process.off(name, pass);
  }
}
