/**
 * How the program gets into namespaces of its own: it becomes `unshare`, which becomes this tree of processes.
 *
 *     sh        the pid that was started: passes signals on and ends with the program's exit code
 *     └─ sh     process 1 of the new PID namespace: its end is the end of everything inside; reaps orphans
 *        └─ the program again, with the marker in its environment
 *
 * The user namespace cannot be entered by Node itself, which has several threads. Why two shells of a megabyte each: `unshare
 * --fork` ignores SIGTERM, so nobody could end the program by the pid that he started; and as process 1 the program would
 * ignore signals whose handler it has not installed yet, survive its own abort, and collect zombies.
 * kill -9 of any of the three ends all: the inner shell is killed when the outer one goes, the program when process 1 goes.
 *
 * The network namespace stays the host's: rootless there would be no way back into it (see `namespaces/`).
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";

/** In the environment of the program that runs inside. */
export const insideMarker = "FAIRLEAD_INSIDE";

export interface EnterOptions {
  /** The program to run inside, by its absolute path, and its arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** In a user namespace, as its root: for who is not root already, or is root without the rights. */
  readonly userNamespace: boolean;
}

/**
 * Signal received → what is done. What a shell starts in the background ignores SIGINT, so the inner one hears of it by another
 * name. A SIGINT in the foreground of a terminal is taken for Ctrl-C, which the program has got from the terminal itself.
 */
const outerSignals = { TERM: "pass TERM", HUP: "pass HUP", INT: "foreground || pass USR1" };
const innerSignals = { TERM: "pass TERM", HUP: "pass HUP", USR1: "pass INT" };

/**
 * A script that runs `"$@"` and passes signals on to it. A signal ends a shell's `wait`, so the wait is taken up again until
 * the program is gone; one that comes before the program runs is kept for it. Standard input is handed on by hand because
 * a shell gives /dev/null to what it starts in the background.
 */
function guardian(signals: Readonly<Record<string, string>>): string {
  return [
    "child= early=",
    'pass() { if [ -n "$child" ]; then kill -s "$1" "$child"; else early=$1; fi; }',
    // proc_pid_stat(5), behind the name: state, parent, process group, session, terminal, the terminal's foreground group.
    'foreground() { read -r status < "/proc/$$/stat" || return 1; set -- ${status##*) }; [ "$3" = "$6" ]; }',
    ...Object.entries(signals).map(([received, action]) => `trap '${action}' ${received}`),
    "exec 3<&0",
    '"$@" <&3 3<&- &',
    "child=$!",
    '[ -z "$early" ] || kill -s "$early" "$child"',
    'while :; do wait "$child"; code=$?; kill -0 "$child" 2>/dev/null || exit "$code"; done',
  ].join("\n");
}

/** The words of the caller are arguments of a constant script, never its text. */
export function enterCommand(options: EnterOptions, find: (tool: string) => string = findTool): readonly string[] {
  const guarded = (signals: typeof outerSignals | typeof innerSignals, command: readonly string[]) => [
    find("sh"),
    "-c",
    guardian(signals),
    "fairlead",
    ...command,
  ];
  const user = options.userNamespace ? ["--user", "--map-root-user"] : [];
  // The outer shell keeps the host's mounts: it looks itself up in the host's `/proc`, which the program puts its own over.
  const inner = [find("unshare"), "--mount", "--", find("setpriv"), "--pdeathsig", "KILL", "--", ...guarded(innerSignals, options.command)];
  return [find("unshare"), ...user, "--pid", "--", ...guarded(outerSignals, inner)];
}

/**
 * This process becomes the tree above. Returns only where Node cannot replace its process (before 22.15): then with the
 * exit code to end with, after the tree has ended.
 */
export async function enterNamespaces(options: EnterOptions): Promise<number> {
  const command = enterCommand(options);
  const env = definedOnly({ ...options.env, [insideMarker]: "1" });
  const [program, ...args] = command as [string, ...string[]];
  if (typeof process.execve === "function") process.execve(program, [program, ...args], env);
  return runAndWait(program, args, env);
}

function runAndWait(program: string, args: readonly string[], env: Record<string, string>): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit", env });
  // The terminal tells the whole group of Ctrl-C; who signals this process alone means the program.
  for (const name of ["SIGTERM", "SIGHUP", "SIGINT"] as const) process.on(name, () => child.kill(name));
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", reject);
  child.once("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]));
  return promise;
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

export function findTool(name: string): string {
  return ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map((folder) => `${folder}/${name}`).find((path) => existsSync(path)) ?? name;
}
