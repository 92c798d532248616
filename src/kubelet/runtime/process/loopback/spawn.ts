/** Starts programs of containers: no shell, a session of their own, and an end with this program whatever happens to it. */
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants } from "node:fs";

export interface SpawnOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: boolean;
}

const setprivPaths = ["/usr/bin/setpriv", "/bin/setpriv"];
let setpriv: string | undefined | "unknown" = "unknown";

/**
 * `setpriv --pdeathsig KILL` (util-linux) has the kernel kill the process when this program dies, kill -9 included. Where it
 * is missing, the next start finds what was left.
 */
function deathSignal(): readonly string[] {
  if (setpriv === "unknown") setpriv = process.platform === "linux" ? setprivPaths.find(runs) : undefined;
  return setpriv === undefined ? [] : [setpriv, "--pdeathsig", "KILL", "--"];
}

function runs(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // Not there: the caller goes without.
    return false;
  }
}

/** Resolves when the process runs; rejects with the system's error. */
export function spawnProgram(options: SpawnOptions): Promise<ChildProcess> {
  const [file, ...args] = [...deathSignal(), options.program, ...options.args];
  const child = spawn(file as string, args, {
    cwd: options.directory,
    env: options.env as NodeJS.ProcessEnv,
    detached: true,
    stdio: [options.stdin ? "pipe" : "ignore", "pipe", "pipe"],
  });
  return new Promise((resolve, reject) => {
    child.once("spawn", () => resolve(child));
    child.once("error", reject);
  });
}

/** Sends a signal to all processes of the session's first group; nothing when they are gone. */
export function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // ESRCH: all of them have ended.
    return;
  }
}
