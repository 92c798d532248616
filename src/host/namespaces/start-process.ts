/** Starts a process in the namespace where the thread is, with mounts, name, PID namespace and user of its own. */
import { existsSync, openSync, statSync } from "node:fs";
import * as c from "../syscalls/constants.ts";
import type { Libc } from "../syscalls/libc.ts";
import { posixSpawn } from "../syscalls/posix-spawn.ts";
import { execChain, type ChainTools, type Identity } from "./exec-chain.ts";
import { applyMount, pivotInto } from "./mounts.ts";
import type { SpawnOptions } from "./namespaces.ts";
import { joinProcess, type Place } from "./place.ts";

export interface Starter {
  /** The process id. */
  start(options: SpawnOptions): number;
}

const toolFolders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

export function createStarter(libc: Libc, place: Place, identity: Identity): Starter {
  const nothing = openSync("/dev/null", "r+");
  const tools: ChainTools = { unshare: findTool("unshare"), setpriv: findTool("setpriv"), setsid: findTool("setsid") };
  return {
    start(options) {
      const chain = execChain(chainOptions(options), identity, tools);
      const [program = "", ...args] = [...chain, options.program, ...options.args];
      const [input, output, errors] = options.stdio;
      const stdio = [input ?? nothing, output ?? nothing, errors ?? nothing] as const;
      // `setsid` makes the session itself where there is a terminal to control, without another process.
      const session = !options.terminal;
      const run = () => {
        statSync(options.directory); // else its absence would be told as the program's
        return posixSpawn(libc, { program, args, env: options.env, directory: options.directory, stdio, session });
      };
      return needsToLeave(options) ? place.away(() => leave(libc, options), run) : run();
    },
  };
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
  return mounts !== undefined || hostname !== undefined || pidNamespace === true || inside !== undefined;
}

function leave(libc: Libc, options: SpawnOptions): void {
  if (options.inside !== undefined) return joinProcess(libc, options.inside);
  if (options.mounts !== undefined) {
    libc.unshare(c.CLONE_NEWNS);
    libc.mount(null, "/", null, c.MS_REC | c.MS_PRIVATE);
    for (const mount of options.mounts) applyMount(libc, mount);
    if (options.root !== undefined) pivotInto(libc, options.root);
  }
  if (options.hostname !== undefined) {
    libc.unshare(c.CLONE_NEWUTS);
    libc.sethostname(options.hostname);
  }
  // Only the next child is in it; until the thread is back it can start no thread.
  if (options.pidNamespace) libc.unshare(c.CLONE_NEWPID);
}

function findTool(name: string): string {
  return toolFolders.map((folder) => `${folder}/${name}`).find((path) => existsSync(path)) ?? name;
}
