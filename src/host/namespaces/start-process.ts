/** Starts a process in the namespace where the thread is, with mounts, name, PID namespace and user of its own. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { errnoCode } from "../../lib/errors.ts";
import * as c from "../syscalls/constants.ts";
import type { Libc } from "../syscalls/libc.ts";
import { posixSpawn } from "../syscalls/posix-spawn.ts";
import { execChain, type ChainTools, type Identity } from "./exec-chain.ts";
import { applyMount, pivotInto, placesOf } from "./mounts.ts";
import type { SpawnOptions } from "./namespaces.ts";
import { joinProcess, type Place } from "./place.ts";

export interface Started {
  readonly pid: number;
  /** Absent: the process is where it belongs. Else it still has to make its own `/proc`, and is there when this resolves. */
  readonly settled?: Promise<void>;
}

export interface Starter {
  start(options: SpawnOptions): Started;
}

const toolFolders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

export function createStarter(libc: Libc, place: Place, identity: Identity): Starter {
  const nothing = openSync("/dev/null", "r+");
  const tools: ChainTools = { unshare: findTool("unshare"), setpriv: findTool("setpriv"), setsid: findTool("setsid") };
  return {
    start(options) {
      const chained = chainOptions(options);
      const chain = execChain(chained, identity, tools);
      const [program = "", ...args] = [...chain, options.program, ...options.args];
      const [input, output, errors] = options.stdio;
      const stdio = [input ?? nothing, output ?? nothing, errors ?? nothing] as const;
      // `setsid` makes the session itself where there is a terminal to control, without another process.
      const session = !options.terminal;
      let mountNamespace: string | undefined;
      const prepare = () => {
        mountNamespace = leave(libc, options);
      };
      const run = () => {
        statSync(options.directory); // else its absence would be told as the program's
        return posixSpawn(libc, { program, args, env: options.env, directory: options.directory, stdio, session });
      };
      const pid = needsToLeave(options) ? place.away(prepare, run) : run();
      joinCgroups(pid, options.cgroups ?? []);
      if (chained.procTarget === undefined || mountNamespace === undefined) return { pid };
      return { pid, settled: hasLeft(pid, mountNamespace, chained.procTarget) };
    },
  };
}

/**
 * With all that it has started already: on a busy machine it may be well under way. Whatever a process starts once it is there is there,
 * too, so its children are looked for afterwards.
 */
function joinCgroups(pid: number, files: readonly string[]): void {
  for (const left = files.length === 0 ? [] : [pid]; left.length > 0;) {
    const next = left.pop() as number;
    try {
      for (const file of files) writeFileSync(file, String(next));
    } catch (error) {
      // It has ended: there is nothing to hold.
      if (errnoCode(error) === "ESRCH") continue;
      process.kill(pid, "SIGKILL");
      throw error;
    }
    left.push(...childrenOf(next));
  }
}

function childrenOf(pid: number): readonly number[] {
  try {
    const texts = readdirSync(`/proc/${pid}/task`).map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8"));
    return texts.flatMap((text) =>
      text
        .split(" ")
        .map(Number)
        .filter((child) => child > 0),
    );
  } catch {
    // It has ended since.
    return [];
  }
}

const lookAgainMs = 1;

/**
 * Resolves once the process is past the program of the chain that mounts its `/proc` (it has left the mount namespace that we
 * made for it, and has become something else), or over.
 */
async function hasLeft(pid: number, mountNamespace: string, procTarget: string): Promise<void> {
  const mounting = () => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[2] === `--mount-proc=${procTarget}`;
  try {
    while (readlinkSync(`/proc/${pid}/ns/mnt`) === mountNamespace || mounting()) await setTimeout(lookAgainMs);
  } catch {
    return; // over
  }
}

function chainOptions({ user, noNewPrivileges, terminal, pidNamespace, mounts, root, inside }: SpawnOptions) {
  const proc = mounts?.findLast((mount) => mount.kind === "proc")?.target;
  return {
    user,
    noNewPrivileges: noNewPrivileges ?? false,
    terminal: terminal ?? false,
    procTarget: pidNamespace && inside === undefined && proc !== undefined ? below(root, proc) : undefined,
  };
}

/** How a target that lies below the new root is called inside. */
function below(root: string | undefined, target: string): string {
  return root !== undefined && target.startsWith(`${root}/`) ? target.slice(root.length) : target;
}

function needsToLeave({ mounts, hostname, pidNamespace, inside }: SpawnOptions): boolean {
  return mounts !== undefined || hostname !== undefined || (pidNamespace ?? false) !== false || inside !== undefined;
}

/** The new mount namespace's name, where there is one. */
function leave(libc: Libc, options: SpawnOptions): string | undefined {
  if (options.inside !== undefined) return void joinProcess(libc, options.inside);
  let mountNamespace: string | undefined;
  // Opened first: below the new root the path means something else.
  const processes = typeof options.pidNamespace === "object" ? openSync(`/proc/${options.pidNamespace.of}/ns/pid`, "r") : undefined;
  if (options.mounts !== undefined) {
    libc.unshare(c.CLONE_NEWNS);
    mountNamespace = readlinkSync("/proc/thread-self/ns/mnt");
    libc.mount(null, "/", null, c.MS_REC | c.MS_PRIVATE);
    const places = placesOf(options.root);
    for (const mount of options.mounts) applyMount(libc, mount, places);
    if (options.root !== undefined) pivotInto(libc, options.root);
  }
  if (options.hostname !== undefined) {
    libc.unshare(c.CLONE_NEWUTS);
    libc.sethostname(options.hostname);
  }
  // Only the next child is in it; until the thread is back it can start no thread.
  if (options.pidNamespace === true) libc.unshare(c.CLONE_NEWPID);
  if (processes !== undefined) enterAndClose(libc, processes, c.CLONE_NEWPID);
  return mountNamespace;
}

function enterAndClose(libc: Libc, namespace: number, kind: number): void {
  try {
    libc.setns(namespace, kind);
  } finally {
    closeSync(namespace);
  }
}

function findTool(name: string): string {
  return toolFolders.map((folder) => `${folder}/${name}`).find((path) => existsSync(path)) ?? name;
}
