/** Starts programs of containers: no shell, a session of their own, and an end with this program whatever happens to it. */
import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { accessSync, constants } from "node:fs";

export interface SpawnOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdio: StdioOptions;
  /** Default true: it leads a session. `setsid` makes one itself. */
  readonly detached?: boolean;
}

const toolFolders = ["/usr/bin", "/bin"];
const tools = new Map<string, string | undefined>();

/** A program of util-linux; undefined where this machine lacks it. */
export function findTool(name: string): string | undefined {
  if (!tools.has(name))
    tools.set(name, process.platform === "linux" ? toolFolders.map((folder) => `${folder}/${name}`).find(runs) : undefined);
  return tools.get(name);
}

/**
 * `setpriv --pdeathsig KILL` (util-linux) has the kernel kill the process when this program dies, kill -9 included. Where it
 * is missing, the next start finds what was left.
 */
function deathSignal(): readonly string[] {
  const setpriv = findTool("setpriv");
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
    detached: options.detached ?? true,
    stdio: options.stdio,
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
