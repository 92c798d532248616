/** Starts this program again in the background. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

export interface Daemon {
  readonly pid: number;
  /** Resolves with the exit code if it ends early; never rejects. */
  readonly exited: Promise<number>;
  /** Lets this process end while the daemon lives on. */
  release(): void;
}

/**
 * Runs `command` in a session of its own, its output appended to `logFile` (mode 0600), nothing on standard input:
 * it survives the terminal and the caller.
 */
export function startDaemon(command: readonly string[], logFile: string, env: Readonly<Record<string, string | undefined>>): Daemon {
  const log = openSync(logFile, "a", 0o600);
  const child = spawn(command[0] as string, command.slice(1), { detached: true, stdio: ["ignore", log, log], env: { ...env } });
  closeSync(log);
  const exited = new Promise<number>((resolve) => {
    child.once("exit", (code) => resolve(code ?? 1));
    child.once("error", () => resolve(127));
  });
  return { pid: child.pid ?? 0, exited, release: () => child.unref() };
}
