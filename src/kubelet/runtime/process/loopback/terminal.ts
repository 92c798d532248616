/**
 * Programs in a pseudo-terminal. Where there is FFI it is ours, and `setsid` (util-linux) makes it the program's; elsewhere
 * `script` holds one, which starts its command through a shell: that shell runs one fixed text that takes the words of the
 * command out of variables, so no input is ever read as shell.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, readlink } from "node:fs/promises";
import { loadLibc, type Libc } from "../../../../host/syscalls/libc.ts";
import { ContainerStartError } from "../../runtime.ts";
import type { ContainerProcess } from "../placement.ts";
import { openStreams } from "../streams.ts";
import { containerProcess } from "./child.ts";
import { findTool, spawnProgram } from "./spawn.ts";

const scriptPaths = ["/usr/bin/script", "/bin/script"];

const fixedText = [
  "set --",
  "i=0",
  'while [ "$i" -lt "$FAIRLEAD_WORDS" ]; do eval "set -- \\"\\$@\\" \\"\\$FAIRLEAD_WORD_$i\\"; unset FAIRLEAD_WORD_$i"; i=$((i+1)); done',
  "unset FAIRLEAD_WORDS i",
  'exec "$@"',
].join("; ");

export interface TerminalRun {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
}

/** Throws ContainerStartError where this machine has neither way. */
export async function startInTerminal(run: TerminalRun): Promise<ContainerProcess> {
  const libc = loadLibc();
  const setsid = findTool("setsid");
  return libc === undefined || setsid === undefined ? startByScript(run) : startByFfi(run, libc, setsid);
}

async function startByFfi({ program, args, env, directory }: TerminalRun, libc: Libc, setsid: string): Promise<ContainerProcess> {
  const streams = openStreams(libc, { stdin: true, terminal: true });
  try {
    const words = ["--ctty", "--", program, ...args];
    const child = await spawnProgram({
      program: setsid,
      args: words,
      env: { TERM: "xterm", ...env },
      directory,
      stdio: [...streams.stdio],
      detached: false,
    });
    streams.closeTheirs();
    return { ...containerProcess(child, streams.resize), stdin: streams.stdin, stdout: streams.stdout, stderr: streams.stderr };
  } catch (error) {
    streams.abandon();
    throw error;
  }
}

async function startByScript({ program, args, env, directory }: TerminalRun): Promise<ContainerProcess> {
  const command = terminalCommand([program, ...args], env);
  if (command === undefined)
    throw new ContainerStartError("a terminal needs the program 'script' (util-linux), which this machine lacks; leave out the terminal");
  const child = await spawnProgram({ ...command, directory, stdio: ["pipe", "pipe", "pipe"] });
  return containerProcess(child, (columns, rows) => {
    if (child.pid !== undefined) void resizeTerminal(child.pid, columns, rows);
  });
}

interface TerminalCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Undefined where the machine has no `script`. */
function terminalCommand(words: readonly string[], env: Readonly<Record<string, string>>): TerminalCommand | undefined {
  const program = scriptPaths.find((path) => existsSync(path));
  if (program === undefined) return undefined;
  const variables = Object.fromEntries(words.map((word, i) => [`FAIRLEAD_WORD_${i}`, word]));
  return {
    program,
    args: ["--quiet", "--flush", "--return", "--command", fixedText, "/dev/null"],
    env: { TERM: "xterm", ...env, SHELL: "/bin/sh", ...variables, FAIRLEAD_WORDS: String(words.length) },
  };
}

/** Sets the size of the terminal of the command that `script`, process `pid`, runs. Best effort: it may have ended. */
async function resizeTerminal(pid: number, columns: number, rows: number): Promise<void> {
  try {
    const child = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ")[0];
    const terminal = await readlink(`/proc/${child}/fd/0`);
    if (!terminal.startsWith("/dev/pts/")) return;
    await new Promise((resolve) => execFile("stty", ["-F", terminal, "cols", String(columns), "rows", String(rows)], resolve));
  } catch {
    // The command has ended: there is nothing to resize.
    return;
  }
}
