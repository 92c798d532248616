/** One container as a process of this machine. */
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecOptions, ExecSession } from "../../../api/node-agent.ts";
import { errnoCode } from "../../../lib/errors.ts";
import type { ContainerSpec, ProcessExit, RunningContainer } from "../runtime.ts";
import { exitCode, startExec, type ExecPlace } from "./exec-session.ts";
import { signalGroup } from "./spawn.ts";

const drainMs = 250;
const maxMessageBytes = 4096;

export class ProcessContainer implements RunningContainer {
  readonly id: string;
  readonly spec: ContainerSpec;
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
  readonly drained: Promise<void>;
  readonly #place: ExecPlace;
  #over = false;

  constructor(id: string, spec: ContainerSpec, child: ChildProcess, place: ExecPlace) {
    this.id = id;
    this.spec = spec;
    this.#place = place;
    this.pid = child.pid as number;
    for (const stream of ["stdout", "stderr"] as const) {
      const source = child[stream];
      source?.on("data", (chunk: Buffer) => {
        const wait = spec.output(stream, chunk);
        if (wait === undefined) return;
        source.pause();
        void wait.then(() => source.resume());
      });
    }
    this.exited = this.#exit(child);
    this.drained = drained(child);
  }

  signal(name: NodeJS.Signals): void {
    if (!this.#over) signalGroup(this.pid, name);
  }

  exec(options: ExecOptions): Promise<ExecSession> {
    return startExec(this.#place, options);
  }

  #exit(child: ChildProcess): Promise<ProcessExit> {
    return new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#over = true;
        // A container ends with its first process; the others of its group must not outlive it.
        signalGroup(this.pid, "SIGKILL");
        const message = this.#terminationMessage();
        resolve({ exitCode: exitCode(code, signal), ...(message === undefined ? {} : { message }) });
      });
    });
  }

  /** What the container wrote to `$POD_ROOT/dev/termination-log`, or where its spec says. */
  #terminationMessage(): string | undefined {
    try {
      const file = join(this.#place.root, this.spec.container.terminationMessagePath ?? "/dev/termination-log");
      return readFileSync(file).subarray(0, maxMessageBytes).toString("utf8");
    } catch (error) {
      if (errnoCode(error) === "ENOENT") return undefined;
      return `the termination message cannot be read: ${errnoCode(error) ?? String(error)}`;
    }
  }
}

/** Both pipes are read to their end, or `drainMs` have passed since the exit: a process that left its group may hold them. */
function drained(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("close", () => resolve());
    child.once("exit", () => {
      const timer = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, drainMs);
      child.once("close", () => clearTimeout(timer));
    });
  });
}
