/** The program as a process: `bin/fairlead` with a home of its own, as this user or another. */
import { execFile, type ExecFileOptions } from "node:child_process";
import { join } from "node:path";

export const repository = join(import.meta.dirname, "../..");

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program without a shell; never rejects. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: ExecFileOptions & { readonly input?: string } = {},
): Promise<Output> {
  return new Promise((resolve) => {
    const child = execFile(program, [...args], { timeout: 60_000, maxBuffer: 1 << 26, ...options }, (error, stdout, stderr) => {
      resolve({
        code: error === null ? 0 : typeof error.code === "number" ? error.code : -1,
        stdout: String(stdout),
        stderr: String(stderr),
      });
    });
    child.stdin?.end(options.input ?? "");
  });
}

export interface Program {
  /** Everything it writes goes below this directory. */
  readonly home: string;
  /** Where it sees the repository. */
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  /** `fairlead ARGS…` */
  run(...args: readonly string[]): Promise<Output>;
  /** The command line that `run` executes, for what a test wants to spawn itself. */
  command(...args: readonly string[]): readonly [string, ...string[]];
}

/** `prefix`: a command that runs the rest of its line, as another user or in other namespaces. */
export function program(home: string, prefix: readonly string[] = [], root: string = repository): Program {
  const env: NodeJS.ProcessEnv = {
    PATH: process.env["PATH"],
    HOME: home,
    XDG_DATA_HOME: join(home, "data"),
    XDG_CACHE_HOME: join(home, "cache"),
    TMPDIR: home,
    CI: "true",
    NO_COLOR: "1",
  };
  const command = (...args: readonly string[]) => [...prefix, "sh", join(root, "bin/fairlead"), ...args] as [string, ...string[]];
  return {
    home,
    root,
    env,
    command,
    run: (...args) => {
      const [file, ...rest] = command(...args);
      return runProgram(file, rest, { env, cwd: home });
    },
  };
}
