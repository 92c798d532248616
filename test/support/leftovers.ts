/** What a program may leave behind on a machine, counted: before, and after. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Leftovers {
  /** Command lines of processes that name Fairlead, or run under it. */
  readonly processes: readonly string[];
  /** Network and mount namespaces that some process is in. */
  readonly networkNamespaces: number;
  readonly mountNamespaces: number;
  /** Of this mount namespace. */
  readonly mounts: number;
  /** Listening TCP sockets and bound UDP sockets of this network namespace. */
  readonly sockets: readonly string[];
  /** Links of this network namespace. */
  readonly links: readonly string[];
}

/** `marks`: texts by which a process is known as the program's, in its command line or environment. */
export function leftovers(marks: readonly string[]): Leftovers {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const read = (path: string) => attempt(() => readFileSync(path, "latin1").replaceAll("\0", " ").trim()) ?? "";
  const namespaces = (kind: string) => new Set(pids.flatMap((pid) => attempt(() => readlinkSync(`/proc/${pid}/ns/${kind}`)) ?? [])).size;
  return {
    processes: pids.flatMap((pid) => {
      const command = read(`/proc/${pid}/cmdline`);
      return marks.some((mark) => command.includes(mark) || read(`/proc/${pid}/environ`).includes(mark)) ? [command] : [];
    }),
    networkNamespaces: namespaces("net"),
    mountNamespaces: namespaces("mnt"),
    mounts: read("/proc/self/mounts").split("\n").length,
    sockets: ["tcp", "tcp6", "udp", "udp6"].flatMap((table) => boundSockets(table, read(`/proc/net/${table}`))).sort(),
    links: readdirSync("/sys/class/net").sort(),
  };
}

function boundSockets(table: string, text: string): readonly string[] {
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => (table.startsWith("udp") ? fields[3] === "07" : fields[3] === "0A"))
    .map((fields) => `${table} ${fields[1]}`);
}

/** Undefined for what went away meanwhile, or is not ours to see. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // A process that ended while we looked.
    return undefined;
  }
}
