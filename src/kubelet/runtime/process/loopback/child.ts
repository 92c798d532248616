/** A process that `node:child_process` started, as containers know it. */
import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import type { ContainerProcess } from "../placement.ts";
import { signalGroup } from "./spawn.ts";

export function containerProcess(child: ChildProcess, resize: ContainerProcess["resize"] = () => undefined): ContainerProcess {
  const pid = child.pid as number;
  const exited = new Promise<{ exitCode: number }>((resolve) => {
    child.once("exit", (code, signal) => resolve({ exitCode: exitCode(code, signal) }));
  });
  return {
    pid,
    stdin: child.stdin ?? undefined,
    stdout: child.stdout ?? undefined,
    stderr: child.stderr ?? undefined,
    exited,
    signal: (name) => signalGroup(pid, name),
    resize,
  };
}

/** 128+n for a process ended by signal n. */
export function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}
