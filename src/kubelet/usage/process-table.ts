/** What processes use, out of /proc (proc_pid_stat(5)). Parsing and adding up are pure. */
import { readdir, readFile } from "node:fs/promises";

export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  /** Of itself, and of its children that have ended and were waited for. */
  readonly cpuNanoseconds: number;
  readonly residentBytes: number;
}

/** Since its start, and now. */
export interface Usage {
  readonly cpuNanoseconds: number;
  readonly memoryBytes: number;
}

/** `USER_HZ`: 100 for every program on every architecture (time(7)). */
const nanosecondsPerTick = 10_000_000;
const ordinaryPageBytes = 4096;

/** One line of `/proc/PID/stat`; undefined where it is none. */
export function parseStat(text: string, pageBytes: number): ProcessRow | undefined {
  // The name may hold blanks and parentheses; the last one ends it.
  const end = text.lastIndexOf(")");
  const fields = text
    .slice(end + 2)
    .split(" ")
    .map(Number);
  const [, parent, , , , , , , , , , user, system, childrenUser, childrenSystem] = fields;
  const resident = fields[21];
  const pid = Number.parseInt(text, 10);
  const ticks = (user ?? Number.NaN) + (system ?? Number.NaN) + (childrenUser ?? Number.NaN) + (childrenSystem ?? Number.NaN);
  if (end < 0 || !(pid > 0) || parent === undefined || resident === undefined || Number.isNaN(ticks)) return undefined;
  return { pid, parent, cpuNanoseconds: ticks * nanosecondsPerTick, residentBytes: resident * pageBytes };
}

/** Of each of those processes with all that descend from it. Memory that several share counts for each. */
export function usageOfTrees(rows: readonly ProcessRow[], roots: readonly number[]): ReadonlyMap<number, Usage> {
  const byPid = new Map(rows.map((row) => [row.pid, row]));
  const children = Map.groupBy(rows, ({ parent }) => parent);
  return new Map(roots.flatMap((root) => (byPid.has(root) ? [[root, usageOfTree(root, byPid, children)] as const] : [])));
}

function usageOfTree(root: number, byPid: ReadonlyMap<number, ProcessRow>, children: ReadonlyMap<number, readonly ProcessRow[]>): Usage {
  let [cpuNanoseconds, memoryBytes] = [0, 0];
  const seen = new Set<number>();
  for (const left = [root]; left.length > 0;) {
    const pid = left.pop() as number;
    const row = byPid.get(pid);
    // Read one after the other, a table may hold a number that was given anew.
    if (row === undefined || seen.has(pid)) continue;
    seen.add(pid);
    cpuNanoseconds += row.cpuNanoseconds;
    memoryBytes += row.residentBytes;
    left.push(...(children.get(pid) ?? []).map((child) => child.pid));
  }
  return { cpuNanoseconds, memoryBytes };
}

/** All processes that this program sees. Empty where there is no /proc. */
export async function readProcesses(): Promise<readonly ProcessRow[]> {
  const names = await readdir("/proc").catch(() => []);
  const pageBytes = await readPageSize();
  const rows = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((pid) => readRow(pid, pageBytes)));
  return rows.filter((row) => row !== undefined);
}

async function readRow(pid: string, pageBytes: number): Promise<ProcessRow | undefined> {
  // It may have ended since.
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return parseStat(text, pageBytes);
}

let pageSize: number | undefined;

async function readPageSize(): Promise<number> {
  const text = await (pageSize === undefined ? readFile("/proc/self/smaps", "utf8").catch(() => "") : "");
  pageSize ??= Number(/^KernelPageSize:\s*(\d+) kB/m.exec(text)?.[1] ?? ordinaryPageBytes / 1024) * 1024;
  return pageSize;
}
