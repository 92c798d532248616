/** Starts a process through crun or runc, and stands for it: the tool waits beside it and ends with its exit code. */
import { closeSync, constants, openSync, readFileSync, readlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename } from "node:path";
import { isatty } from "node:tty";
import type { Mount, PodNetwork, SpawnedProcess } from "../../../host/namespaces/namespaces.ts";
import type { Libc } from "../../../host/syscalls/libc.ts";
import { setWindowSize } from "../../../host/syscalls/pty.ts";
import { realClock, sleep } from "../../../lib/clock.ts";
import { errorMessage } from "../../../lib/errors.ts";
import { namespacedProcess } from "../process/namespaced/namespaced-process.ts";
import type { ContainerProcess, ProcessStreams } from "../process/placement.ts";
import { openStreams } from "../process/streams.ts";
import { ContainerStartError } from "../runtime.ts";
import { startMessage } from "./start-message.ts";
import type { OciTool } from "./tool.ts";

export interface LaunchOptions {
  readonly tool: OciTool;
  readonly network: PodNetwork;
  readonly libc: Libc;
  readonly streams: ProcessStreams;
  /** As of `SpawnOptions`: what the tool starts inherits them. */
  readonly cgroups: readonly string[];
  /** In the tool's own mount namespace. */
  readonly mounts: readonly Mount[];
  /** Where the tool keeps what it knows of containers. */
  readonly state: string;
  readonly verb: readonly string[];
  readonly id: string;
  /** `FILES.pid` and `FILES.log` are the tool's. */
  readonly files: string;
  /** Whether the process is process 1 of its PID namespace. */
  readonly first: boolean;
}

type Ended = Awaited<SpawnedProcess["exited"]>;

const lookMs = 2;
/** A tool that hangs must not hold its pod up for ever. */
const longestMs = 60_000;
/** A container's program may be called like the tool: nobody waits for that for long. */
const longestToolMs = 1_000;
/** Of shells: killed by signal n. */
const bySignal = 128;
const SIGKILL = 9;

/** Throws ContainerStartError. */
export async function launch(options: LaunchOptions): Promise<ContainerProcess> {
  const { tool, network, libc, state, verb, id, files, first } = options;
  const streams = openStreams(libc, options.streams);
  const manager = tool.name === "crun" ? ["--cgroup-manager=disabled"] : [];
  try {
    const spawned = await network.spawn({
      program: tool.path,
      args: ["--root", state, "--log", `${files}.log`, ...manager, ...verb, "--pid-file", `${files}.pid`, id],
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      directory: "/",
      user: { kind: "root" },
      mounts: options.mounts,
      cgroups: options.cgroups,
      stdio: streams.stdio,
      terminal: options.streams.terminal,
    });
    streams.closeTheirs();
    const pid = await processOf(spawned, files, tool);
    await rm(`${files}.pid`, { force: true });
    const inside: SpawnedProcess = { pid, exited: spawned.exited.then(asSignal), signal: (name) => signalGroup(pid, name) };
    const process = namespacedProcess({ spawned: inside, streams, first, clock: realClock });
    return { ...process, resize: (columns, rows) => resizeTerminal(libc, pid, columns, rows) };
  } catch (error) {
    streams.abandon();
    if (error instanceof ContainerStartError) throw error;
    throw new ContainerStartError(`unable to start container process: ${errorMessage(error)}`, { cause: error });
  }
}

/** Resolves once the program itself runs, or has ended already; throws what the tool says when it never did. */
async function processOf(spawned: SpawnedProcess, files: string, tool: OciTool): Promise<number> {
  let ended: Ended | undefined;
  void spawned.exited.then((how) => (ended = how));
  const from = realClock.monotonic();
  let madeAt: number | undefined;
  while (realClock.monotonic() - from < longestMs) {
    const wasOver = ended !== undefined;
    const pid = Number(textOf(`${files}.pid`));
    if (pid > 0) madeAt ??= realClock.monotonic();
    if (madeAt !== undefined && (wasOver || !isTool(pid, tool) || realClock.monotonic() - madeAt > longestToolMs)) return pid;
    if (wasOver) throw new ContainerStartError(startMessage(textOf(`${files}.log`)));
    await sleep(realClock, lookMs);
  }
  spawned.signal("SIGKILL");
  throw new ContainerStartError(`unable to start container process: ${tool.name} has not come to an end with it in ${longestMs / 1000} s`);
}

/** Until it becomes the container's program, the process is the tool, or its copy in memory. */
function isTool(pid: number, { name }: OciTool): boolean {
  try {
    const program = readlinkSync(`/proc/${pid}/exe`);
    return basename(program) === name || program.startsWith("/memfd:") || program.includes(`${name}_cloned`);
  } catch {
    // It has ended.
    return false;
  }
}

/** The tool tells a signal by its own exit code. */
function asSignal({ exitCode, signal }: Ended): Ended {
  return exitCode === bySignal + SIGKILL ? { exitCode: null, signal: "SIGKILL" } : { exitCode, signal };
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // ESRCH: all of them have ended.
    return;
  }
}

/**
 * Of the terminal that the tool has made and stands between: not every tool passes the size of its own on (crun 1.8 does not). The
 * kernel tells the processes in it.
 */
function resizeTerminal(libc: Libc, pid: number, columns: number, rows: number): void {
  try {
    const terminal = openSync(`/proc/${pid}/fd/0`, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
    try {
      if (isatty(terminal)) setWindowSize(libc, terminal, columns, rows);
    } finally {
      closeSync(terminal);
    }
  } catch {
    // It has ended: there is nothing to resize.
    return;
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // Not written (yet).
    return "";
  }
}
