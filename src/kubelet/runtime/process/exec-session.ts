/** A command run inside a container: its environment, its directory, its root by convention. */
import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import type { ExecOptions, ExecSession, ExitStatus } from "../../../api/node-agent.ts";
import { errorMessage } from "../../../lib/errors.ts";
import { resizeTerminal, terminalCommand } from "./terminal.ts";
import { findCommand } from "./find-command.ts";
import { signalGroup, spawnProgram } from "./spawn.ts";
import { failedSession } from "../failed-session.ts";

export interface ExecPlace {
  readonly root: string;
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
}

const drainMs = 250;

/** Never rejects: a command that cannot run is a session that has failed. */
export async function startExec(place: ExecPlace, options: ExecOptions): Promise<ExecSession> {
  try {
    const path = place.env["PATH"] ?? "";
    const program = findCommand(options.command[0] ?? "", { root: place.root, workingDirectory: place.directory, path });
    const args = options.command.slice(1);
    const run = options.tty ? terminalCommand([program, ...args], place.env) : { program, args, env: place.env };
    if (run === undefined)
      return failedSession("a terminal needs the program 'script' (util-linux), which this machine lacks; leave out --tty");
    const child = await spawnProgram({ ...run, directory: place.directory, stdin: options.stdin || options.tty });
    return new ProcessSession(child, options);
  } catch (error) {
    return failedSession(errorMessage(error));
  }
}

class ProcessSession implements ExecSession {
  readonly done: Promise<ExitStatus>;
  readonly #child: ChildProcess;
  readonly #tty: boolean;

  constructor(child: ChildProcess, options: ExecOptions) {
    this.#child = child;
    this.#tty = options.tty;
    // The reader of the pipe may be gone before we are; its exit code tells what matters.
    child.stdin?.on("error", () => undefined);
    this.done = exitOf(child);
  }

  write(chunk: Uint8Array): Promise<void> {
    const stdin = this.#child.stdin;
    if (stdin === null || !stdin.writable) return Promise.resolve();
    return new Promise((resolve) => stdin.write(chunk, () => resolve()));
  }

  closeStdin(): void {
    this.#child.stdin?.end();
  }

  onOutput(listener: (stream: "stdout" | "stderr", chunk: Uint8Array) => void): void {
    // Not before: what nobody reads stays in the pipe.
    for (const stream of ["stdout", "stderr"] as const) this.#child[stream]?.on("data", (chunk: Buffer) => listener(stream, chunk));
  }

  resize(columns: number, rows: number): void {
    if (this.#tty && this.#child.pid !== undefined) void resizeTerminal(this.#child.pid, columns, rows);
  }

  kill(): void {
    if (this.#child.pid !== undefined) signalGroup(this.#child.pid, "SIGKILL");
  }
}

/** Settles when the process has ended and its output is read; a grandchild that holds the pipes delays it only a little. */
function exitOf(child: ChildProcess): Promise<ExitStatus> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      const status: ExitStatus = { kind: "exited", code: exitCode(code, signal) };
      const timer = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve(status);
      }, drainMs);
      child.once("close", () => {
        clearTimeout(timer);
        resolve(status);
      });
    });
  });
}

/** 128+n for a process ended by signal n. */
export function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}
