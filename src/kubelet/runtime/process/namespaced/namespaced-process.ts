/** A process that was started in namespaces, as containers know it. */
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import type { SpawnedProcess } from "../../../../host/namespaces/namespaces.ts";
import type { ContainerProcess } from "../placement.ts";
import type { OpenStreams } from "./streams.ts";

/** Signals that end a process which neither handles nor ignores them, and that somebody may mean as "stop" (signal(7)). */
const endingSignals: ReadonlySet<string> = new Set(["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM"]);

export interface NamespacedOptions {
  readonly spawned: SpawnedProcess;
  readonly streams: OpenStreams;
  /** It is process 1 of a PID namespace of its own. */
  readonly first: boolean;
  /** The text of `/proc/PID/status`; undefined when there is no such process. */
  readonly readStatus?: (pid: number) => string | undefined;
}

export function namespacedProcess({ spawned, streams, first, readStatus = statusOf }: NamespacedOptions): ContainerProcess {
  const { pid } = spawned;
  let assumed: NodeJS.Signals | undefined;
  const exited = spawned.exited.then(({ exitCode, signal }) => {
    const last = signal === "SIGKILL" ? (assumed ?? signal) : signal;
    return { exitCode: exitCode ?? 128 + (last === null ? 0 : constants.signals[last]) };
  });
  return {
    pid,
    stdin: streams.stdin,
    stdout: streams.stdout,
    stderr: streams.stderr,
    exited,
    signal(name) {
      if (first && endingSignals.has(name) && !heeds(readStatus(pid), name)) {
        // The kernel keeps from process 1 what it does not handle (pid_namespaces(7)): without a handler SIGTERM would be
        // lost and the whole grace period waited for. Here it does what it does to any other process.
        assumed = name;
        spawned.signal("SIGKILL");
        return;
      }
      spawned.signal(name);
    },
    resize: streams.resize,
  };
}

/** Whether a process handles a signal, or ignores it on purpose. Pure. */
export function heeds(status: string | undefined, name: NodeJS.Signals): boolean {
  const bit = 1n << BigInt(constants.signals[name] - 1);
  const masks = ["SigCgt", "SigIgn"].map((field) => new RegExp(`^${field}:\\s*([0-9a-f]+)$`, "m").exec(status ?? "")?.[1]);
  return status === undefined || masks.some((mask) => mask !== undefined && (BigInt(`0x${mask}`) & bit) !== 0n);
}

function statusOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    // It has ended: there is nobody to signal either.
    return undefined;
  }
}
