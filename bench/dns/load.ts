/** Load by dnsperf, and what it costs a server. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export interface Load {
  readonly perSecond: number;
  readonly completed: number;
  readonly lost: number;
}

export const has = (program = "", ...args: readonly string[]): boolean => spawnSync(program, args).error === undefined;

const dnsperf = (port: number, queries: string, seconds: number, more: readonly string[]): string =>
  spawnSync(
    "taskset",
    ["-c", "1", "dnsperf", "-s", "127.0.0.1", "-p", String(port), "-d", queries, "-l", String(seconds), "-c", "8", "-q", "200", ...more],
    { encoding: "utf8", maxBuffer: 1 << 30 },
  ).stdout;

/** Every name twice, so that what a server keeps it has; at most ten seconds. */
export function warm(port: number, queries: string): void {
  dnsperf(port, queries, 10, ["-n", "2"]);
}

const field = (output: string, label: string): number => Number(new RegExp(`${label}:\\s+([\\d.]+)`).exec(output)?.[1] ?? 0);

/** As much as the server takes, from core 1. */
export function load(port: number, queries: string, seconds: number): Load {
  const output = dnsperf(port, queries, seconds, []);
  const completed = field(output, "Queries completed");
  if (completed === 0) throw new Error("the server does not answer");
  return { perSecond: field(output, "Queries per second"), completed, lost: field(output, "Queries lost") };
}

/** In ms, at so many queries per second. */
export function latencies(
  port: number,
  queries: string,
  seconds: number,
  perSecond: number,
): { readonly p50: number; readonly p99: number } {
  const output = dnsperf(port, queries, seconds, ["-v", "-Q", String(Math.round(perSecond))]);
  const all = [...output.matchAll(/^> \S+ \S+ \S+ ([\d.]+)$/gm)].map(([, took]) => Number(took) * 1000).sort((a, b) => a - b);
  const at = (part: number) => all[Math.floor(all.length * part)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

/** User and system time of the whole process, in steps of 10 ms. */
export function cpuMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

export function memoryMb(pid: number): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024);
}
