/** Finds the kubectls of this machine and runs them without a shell. */
import { execFile, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { startChild } from "./children.ts";

export interface Kubectl {
  /** `1.33` */
  readonly minor: string;
  readonly path: string;
}

/** Versioned ones (`kubectl.1.29`) on PATH or beside what `kubectl` points to; an unversioned one only if there is no other. */
export function findKubectls(): readonly Kubectl[] {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).filter((directory) => directory !== "" && existsSync(directory));
  const beside = onPath.flatMap((directory) =>
    existsSync(join(directory, "kubectl")) ? [dirname(realpathSync(join(directory, "kubectl")))] : [],
  );
  const found = new Map<string, string>();
  for (const directory of [...onPath, ...beside]) {
    for (const file of readdirSync(directory)) {
      const minor = /^kubectl\.(1\.\d+)$/.exec(file)?.[1];
      if (minor !== undefined && !found.has(minor)) found.set(minor, join(directory, file));
    }
  }
  return [...found].map(([minor, path]) => ({ minor, path })).sort((a, b) => Number(a.minor.slice(2)) - Number(b.minor.slice(2)));
}

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly kubeconfig: string;
  readonly input?: string;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export function runKubectl(kubectl: Kubectl, args: readonly string[], options: RunOptions): Promise<Output> {
  return new Promise((resolve) => {
    const child = execFile(
      kubectl.path,
      [...args],
      { env: { ...environment(options.kubeconfig), ...options.env }, timeout: options.timeout ?? 20_000, maxBuffer: 1 << 24 },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stdout, stderr });
      },
    );
    child.stdin?.end(options.input ?? "");
  });
}

/** For what runs on: `get -w`, `logs -f`. Ends with its test at the latest. */
export function startKubectl(
  kubectl: Kubectl,
  args: readonly string[],
  kubeconfig: string,
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  return startChild(kubectl.path, args, { env: { ...environment(kubeconfig), ...env }, stdio: ["ignore", "pipe", "pipe"] });
}

function environment(kubeconfig: string): NodeJS.ProcessEnv {
  // A home of its own: kubectl caches discovery there.
  return { PATH: process.env["PATH"], KUBECONFIG: kubeconfig, HOME: dirname(kubeconfig), KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "true" };
}
