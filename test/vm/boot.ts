/**
 * Boots a Linux of our own (user-mode-linux, a Debian package) with this machine's files as its root, read-only, and runs one program
 * of the repository in it as root. For what this machine's kernel lacks: IPVS. No privilege is needed to boot it.
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findTool, missingTools } from "../support/tools.ts";

const repository = join(import.meta.dirname, "../..");
const modules = "/usr/lib/uml/modules";

export interface VmRun {
  /** What the program wrote to the file that it was given; undefined: it wrote none. */
  readonly results: string | undefined;
  /** Of the kernel, the init script and the program, the last part. */
  readonly console: string;
}

/** Why no such machine can be booted here; undefined: it can. Installs what is missing where that is allowed. */
export function missingVm(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return "needs Linux on x64";
  const missing = missingTools("linux.uml", "modprobe", "busybox", "ip", "ipset", "ipvsadm", "xtables-legacy-multi", "nsenter");
  if (missing !== undefined) return `needs user-mode-linux and its tools: ${missing}`;
  return existsSync(modules) ? undefined : `needs the modules of user-mode-linux (${modules})`;
}

export interface VmOptions {
  /** Below the repository: gets the path of the file to write results to. */
  readonly program: string;
  readonly kernelModules: readonly string[];
  readonly memoryMiB: number;
  readonly timeoutMs: number;
  /** For the program; names and values of ours, without a quote. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where the console goes as it comes. Default: nowhere. */
  readonly onConsole?: (text: string) => void;
}

export async function runInVm(options: VmOptions): Promise<VmRun> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-vm-"));
  try {
    const init = prepare(directory, options);
    const words = [
      `mem=${options.memoryMiB}M`,
      "root=/dev/root",
      "rootfstype=hostfs",
      "rootflags=/",
      "ro",
      `init=${init}`,
      "con=null",
      "con0=fd:0,fd:1",
      "quiet",
    ];
    const console = await runKernel(words, options);
    const results = join(directory, "out/results.json");
    return { results: existsSync(results) ? readFileSync(results, "utf8") : undefined, console };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** This kernel's nf_tables has no IPv4 (NF_TABLES_IPV4): the programs' legacy variants come first in PATH. */
const legacyPrograms = ["iptables", "ip6tables"].flatMap((name) => [name, `${name}-restore`, `${name}-save`]);

function prepare(directory: string, { program, kernelModules, env = {} }: VmOptions): string {
  for (const name of ["out", "bin", "m/lib"]) mkdirSync(join(directory, name), { recursive: true });
  symlinkSync(modules, join(directory, "m/lib/modules"));
  for (const name of legacyPrograms) symlinkSync(findTool("xtables-legacy-multi") as string, join(directory, "bin", name));
  const init = join(directory, "init.sh");
  const lines = [
    "#!/bin/sh",
    `export PATH=${directory}/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run XTABLES_LOCKFILE=/run/xtables.lock`,
    "mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /run",
    `mkdir -p /run/out && mount -t hostfs none /run/out -o ${directory}/out`,
    `modprobe -d ${directory}/m -a ${kernelModules.join(" ")}`,
    "ip link set lo up",
    ...Object.entries(env).map(([name, value]) => `export ${name}='${value}'`),
    `cd ${repository} && sh bin/node ${program} /run/out/results.json`,
    'echo "the program ended with $?"',
    "exec busybox poweroff -f",
    "",
  ];
  writeFileSync(init, lines.join("\n"));
  chmodSync(init, 0o755);
  return init;
}

const keptBytes = 20_000;

function runKernel(words: readonly string[], { timeoutMs, onConsole }: VmOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    // A process group of its own: the kernel has one process for each of its own.
    const child = spawn(findTool("linux.uml") as string, words, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    let text = "";
    const keep = (chunk: Buffer) => {
      text = (text + chunk.toString("utf8")).slice(-keptBytes);
      onConsole?.(chunk.toString("utf8"));
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const timer = setTimeout(() => {
      text += `\nended after ${timeoutMs} ms`;
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, timeoutMs);
    child.once("error", reject);
    child.once("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}
