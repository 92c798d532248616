/** A process that was started in namespaces, as containers know it. */
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import type { SpawnedProcess } from "../../../../host/namespaces/namespaces.ts";
import type { Clock, Timer } from "../../../../lib/clock.ts";
import type { ContainerProcess } from "../placement.ts";
import type { OpenStreams } from "../streams.ts";

/** Signals that end a process which neither handles nor ignores them, and that somebody may mean as "stop" (signal(7)). */
const endingSignals: ReadonlySet<string> = new Set(["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM"]);

/** Afterwards it is looked at again after so many ms: a handler may put itself out of force and raise the signal once more. */
const secondLooksMs = [5, 25, 100, 400, 1600];

export interface NamespacedOptions {
  readonly spawned: SpawnedProcess;
  readonly streams: OpenStreams;
  /** It is process 1 of a PID namespace of its own. */
  readonly first: boolean;
  readonly clock: Clock;
  /** The text of `/proc/PID/status`; undefined when there is no such process. */
  readonly readStatus?: (pid: number) => string | undefined;
}

export function namespacedProcess(options: NamespacedOptions): ContainerProcess {
  const { spawned, streams, first, clock } = options;
  const end = new EndOfFirst(options);
  const exited = spawned.exited.then(({ exitCode, signal }) => {
    end.cancel();
    const last = signal === "SIGKILL" ? (end.assumed ?? signal) : signal;
    return { exitCode: exitCode ?? 128 + (last === null ? 0 : constants.signals[last]) };
  });
  return {
    pid: spawned.pid,
    stdin: streams.stdin,
    stdout: streams.stdout,
    stderr: streams.stderr,
    exited,
    signal(name) {
      if (!first || !endingSignals.has(name)) return spawned.signal(name);
      if (end.takesEffect(name)) return;
      spawned.signal(name);
      end.lookAgain(name, clock);
    },
    resize: streams.resize,
  };
}

/**
 * The kernel keeps from process 1 what it does not handle (pid_namespaces(7)): without a handler SIGTERM would be lost, and
 * the whole grace period waited for. Here it does to process 1 what it does to any other.
 */
class EndOfFirst {
  /** The signal that would have ended it. */
  assumed: NodeJS.Signals | undefined;
  readonly #options: NamespacedOptions;
  #timer: Timer | undefined;

  constructor(options: NamespacedOptions) {
    this.#options = options;
  }

  /** Ends the process if the signal would, had the process another number. */
  takesEffect(name: NodeJS.Signals): boolean {
    const { spawned, readStatus = statusOf } = this.#options;
    if (heeds(readStatus(spawned.pid), name)) return false;
    this.assumed = name;
    spawned.signal("SIGKILL");
    return true;
  }

  lookAgain(name: NodeJS.Signals, clock: Clock, looks: readonly number[] = secondLooksMs): void {
    const [ms, ...later] = looks;
    this.cancel();
    if (ms === undefined) return;
    this.#timer = clock.after(ms, () => {
      if (!this.takesEffect(name)) this.lookAgain(name, clock, later);
    });
  }

  cancel(): void {
    this.#timer?.cancel();
  }
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
