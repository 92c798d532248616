/** One container: its main process, whose output goes to the log and to whoever attached. */
import { readFileSync } from "node:fs";
import type { AttachOptions, ExecOptions, ExecSession } from "../../../api/node-agent.ts";
import { errnoCode, errorMessage } from "../../../lib/errors.ts";

import { failedSession } from "../failed-session.ts";
import type { ContainerSpec, ProcessExit, RunningContainer } from "../runtime.ts";
import { Attachments } from "./attachments.ts";
import { drained } from "./drained.ts";
import { execSession } from "./exec-session.ts";
import type { ContainerPlace, ContainerProcess } from "./placement.ts";

const maxMessageBytes = 4096;
/** 128 and SIGKILL. */
const killedExitCode = 137;

export class ProcessContainer implements RunningContainer {
  readonly id: string;
  readonly spec: ContainerSpec;
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
  readonly drained: Promise<void>;
  readonly stopSignal?: NodeJS.Signals;
  readonly #main: ContainerProcess;
  readonly #place: ContainerPlace;
  readonly #attachments: Attachments;
  #over = false;

  constructor(id: string, spec: ContainerSpec, main: ContainerProcess, place: ContainerPlace) {
    this.id = id;
    this.spec = spec;
    this.pid = main.pid;
    if (place.stopSignal !== undefined) this.stopSignal = place.stopSignal;
    this.#main = main;
    this.#place = place;
    this.#attachments = new Attachments(spec.container, main);
    for (const stream of ["stdout", "stderr"] as const) {
      const source = main[stream];
      source?.on("data", (chunk: Buffer) => {
        const waits = [spec.output(stream, chunk), this.#attachments.output(stream, chunk)].filter((wait) => wait !== undefined);
        if (waits.length === 0) return;
        source.pause();
        void Promise.all(waits).then(() => source.resume());
      });
    }
    this.exited = this.#exit();
    const streams = [main.stdout, main.stderr].filter((stream) => stream !== undefined);
    this.drained = drained(streams, this.exited).then(() => void main.stdin?.destroy());
    void Promise.all([this.exited, this.drained]).then(([{ exitCode: code }]) => this.#attachments.end({ kind: "exited", code }));
  }

  signal(name: NodeJS.Signals): void {
    if (!this.#over) this.#main.signal(name);
  }

  async exec(options: ExecOptions): Promise<ExecSession> {
    if (this.#over) return failedSession("the container has ended");
    try {
      const streams = { stdin: options.stdin, terminal: options.tty };
      return execSession(await this.#place.exec(options.command, streams, this.#main));
    } catch (error) {
      return failedSession(errorMessage(error));
    }
  }

  async writtenBytes(): Promise<number> {
    return this.#over ? 0 : ((await this.#place.writtenBytes?.(this.#main)) ?? 0);
  }

  async attach(options: AttachOptions): Promise<ExecSession> {
    return this.#attachments.attach(options);
  }

  async #exit(): Promise<ProcessExit> {
    const { exitCode } = await this.#main.exited;
    this.#over = true;
    // A container ends with its first process; the others of its group must not outlive it.
    this.#main.signal("SIGKILL");
    const message = this.#terminationMessage();
    return {
      exitCode,
      ...(message === undefined || message === "" ? {} : { message }),
      ...(this.#outOfMemory(exitCode) ? { outOfMemory: true } : {}),
    };
  }

  /** Also where the kernel took a child of it only: a container is said to be out of memory when its main process was killed. */
  #outOfMemory(exitCode: number): boolean {
    const { cgroup } = this.#place;
    if (cgroup === undefined) return false;
    const isOut = exitCode === killedExitCode && cgroup.outOfMemory();
    void cgroup.remove();
    return isOut;
  }

  #terminationMessage(): string | undefined {
    try {
      return readFileSync(this.#place.messageFile).subarray(0, maxMessageBytes).toString("utf8");
    } catch (error) {
      if (errnoCode(error) === "ENOENT") return undefined;
      return `the termination message cannot be read: ${errnoCode(error) ?? String(error)}`;
    }
  }
}
