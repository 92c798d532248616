/**
 * Runs a program of the user's in the surroundings of another process: its network, mounts, host name and process ids. Done by
 * `nsenter` of util-linux, which has the one thread that entering a user namespace takes. The program stays a child of
 * this one, in its process group and on its terminal.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import { errnoCode, FairleadError } from "../lib/errors.ts";

/** `net` → `net:[4026532001]`, as `readlink /proc/PID/ns/net` gives it. */
export type NamespaceLinks = Readonly<Record<string, string>>;

export interface Surroundings {
  /** As this program's /proc shows it. */
  readonly pid: number;
  /** A process in the user namespace to which the network belongs. */
  readonly ownerPid: number;
}

export interface JoinOptions {
  /** Absolute. */
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute; where the program starts. */
  readonly directory: string;
  /** Absent: nothing is entered. */
  readonly surroundings?: Surroundings;
}

export interface JoinedProcess {
  /** Settles once; a signal's number plus 128 for a program that a signal ended, as a shell has it. Rejects with FL_UNSUPPORTED without util-linux. */
  readonly exited: Promise<number>;
  /** To the program itself; nothing when it is over. */
  signal(name: NodeJS.Signals): void;
}

/** Who is whose: the user namespaces of this process, of the network's owner and of the process that is joined. */
export interface UserNamespaces {
  readonly own: string;
  readonly owner: string;
  readonly target: string;
}

/**
 * A shell takes no part but to wait: a signal from the terminal goes to all, and it is the program's to act on. It also changes the
 * directory, which entering a mount namespace has set to `/`. The words of the user are its arguments, never its text.
 */
const waiter = 'trap : INT QUIT HUP TERM; cd -- "$1" || exit 126; shift; "$@"';

/**
 * The command line. A network belongs to a user namespace and can be entered only with the rights of that one, so it is entered first;
 * then the rest; and then back to the ids of the user, in the target's user namespace or in a new one.
 */
export function joinCommand(
  options: JoinOptions,
  users: UserNamespaces,
  ids: { readonly uid: number; readonly gid: number },
): readonly string[] {
  const { surroundings, directory, program, args } = options;
  // Ends with this process, however that ends. In a pod the program then ends with the pod.
  const bound = ["setpriv", "--pdeathsig", "KILL", "--"];
  if (surroundings === undefined) return [...bound, program, ...args];
  const asOwner = ["nsenter", `--user=/proc/${surroundings.ownerPid}/ns/user`, "--preserve-credentials", "--"];
  const backInto = users.target === users.owner ? [] : ["--user", "--preserve-credentials"];
  const enter = ["nsenter", `--target=${surroundings.pid}`, "--mount", "--uts", "--net", "--pid", "--no-fork", ...backInto, "--"];
  // Not before the shell: only its child is in the PID namespace, and so in the /proc there, through which ids are mapped.
  const backToUser = ["unshare", "--user", `--map-user=${ids.uid}`, `--map-group=${ids.gid}`, "--"];
  return [
    ...(users.owner === users.own ? [] : asOwner),
    ...enter,
    ...bound,
    ...["/bin/sh", "-c", waiter, "fairlead-run", directory],
    ...(users.target === users.owner && users.owner !== users.own ? backToUser : []),
    program,
    ...args,
  ];
}

export function startJoined(options: JoinOptions): JoinedProcess {
  const { surroundings } = options;
  const own = userNamespace("self");
  const users = { own, owner: userNamespace(surroundings?.ownerPid ?? "self"), target: userNamespace(surroundings?.pid ?? "self") };
  const ids = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const [program = "", ...args] = joinCommand(options, users, ids);
  const child = spawn(program, args, { stdio: "inherit", env: { ...options.env }, cwd: options.directory });
  const exited = new Promise<number>((resolve, reject) => {
    child.once("error", (error) => reject(cannotStart(program, error)));
    child.once("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
  });
  return {
    exited,
    signal(name) {
      if (surroundings === undefined) child.kill(name);
      else for (const pid of childrenOf(child.pid ?? 0)) tryKill(pid, name);
    },
  };
}

function userNamespace(pid: number | "self"): string {
  return readlinkSync(`/proc/${pid}/ns/user`);
}

function cannotStart(program: string, error: Error): Error {
  if (errnoCode(error) !== "ENOENT") return error;
  return new FairleadError("FL_UNSUPPORTED", `${program} is not installed`, { cause: error, hint: "Install the package util-linux." });
}

/** By `/proc/PID/task/TID/children`, which every kernel has that can make user namespaces (CONFIG_PROC_CHILDREN since 4.2). */
function childrenOf(pid: number): readonly number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks.flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "latin1").split(" ").filter(Boolean).map(Number));
  } catch {
    return []; // it is over
  }
}

function tryKill(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended in the meantime.
  }
}

/**
 * The process that is in these namespaces, as this program's /proc shows it; undefined when there is none, or none that this user may
 * look at. The first one found: a pod's holder is alone in its PID namespace until somebody joins.
 */
export function findInNamespaces(links: NamespaceLinks): number | undefined {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 0)
    .find((pid) => isInNamespaces(pid, links));
}

/** Whether the process is in all of these that a pod has for itself; false where there are none. */
export function isInNamespaces(pid: number, links: NamespaceLinks): boolean {
  const wanted = Object.entries(links).filter(([kind]) => kind === "net" || kind === "mnt" || kind === "pid");
  return wanted.length > 0 && wanted.every(([kind, link]) => linkOf(pid, kind) === link);
}

function linkOf(pid: number, kind: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined; // another user's, or gone
  }
}
