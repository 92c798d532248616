/** Programs pinned to a core, and what they used of it: for benchmarks that compare servers on machines that others use too. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";

export const proxyCore = "0";
/** Load and backends. */
export const loadCore = "1";

const children: ChildProcess[] = [];

export function has(program: string): boolean {
  return spawnSync("which", [program], { stdio: "ignore" }).status === 0;
}

/** Throws when one is missing, naming all that are. */
export function needs(...programs: readonly string[]): void {
  const missing = programs.filter((program) => !has(program));
  if (missing.length > 0) throw new Error(`needs ${missing.join(", ")}`);
}

export function startOn(core: string, program: string, ...args: readonly string[]): ChildProcess {
  const child = spawn("taskset", ["-c", core, program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return child;
}

/** A TypeScript file that prints its ports as a JSON array when it is ready. */
export async function startServed(
  core: string,
  file: string,
  ...args: readonly string[]
): Promise<{ child: ChildProcess; ports: number[] }> {
  const child = startOn(core, process.execPath, file, ...args);
  const line = await new Promise<string>((resolve) => child.stdout?.once("data", (bytes: Buffer) => resolve(bytes.toString())));
  return { child, ports: JSON.parse(line) as number[] };
}

export function killAll(): void {
  for (const child of children.splice(0)) child.kill("SIGKILL");
}

export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export function memoryMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
