/**
 * A pseudo-terminal for `exec --tty` by means of `script` (util-linux), which starts its command through a shell: that
 * shell runs one fixed text that takes the words of the command out of variables, so no input is ever read as shell.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, readlink } from "node:fs/promises";

const scriptPaths = ["/usr/bin/script", "/bin/script"];

const fixedText = [
  "set --",
  "i=0",
  'while [ "$i" -lt "$FAIRLEAD_WORDS" ]; do eval "set -- \\"\\$@\\" \\"\\$FAIRLEAD_WORD_$i\\"; unset FAIRLEAD_WORD_$i"; i=$((i+1)); done',
  "unset FAIRLEAD_WORDS i",
  'exec "$@"',
].join("; ");

export interface TerminalCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Undefined where the machine has no `script`. */
export function terminalCommand(words: readonly string[], env: Readonly<Record<string, string>>): TerminalCommand | undefined {
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
export async function resizeTerminal(pid: number, columns: number, rows: number): Promise<void> {
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
