/**
 * Hears of the end of children that `posixSpawn` started. On SIGCHLD, which only the main thread hears of, the kernel is asked
 * which child has ended; one that is watched is taken away, any other one is left to Node, which takes its own away by itself.
 */
import { constants } from "node:os";
import { WNOWAIT } from "./constants.ts";
import type { EndedChild, Libc } from "./libc.ts";

export interface ChildEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Children {
  /** `ended` is called once, within this call for a child that is over already. */
  watch(pid: number, ended: (end: ChildEnd) => void): void;
  /** Of those that are watched. */
  pids(): readonly number[];
  /** Those that are watched still are, to their end; there are no more. */
  close(): void;
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name as NodeJS.Signals]));

export function watchChildren(libc: Pick<Libc, "endedChild">, signals: Pick<NodeJS.Process, "on" | "off"> = process): Children {
  const watched = new Map<number, (end: ChildEnd) => void>();
  let closing = false;
  const look = () => {
    for (;;) {
      const next = watched.size === 0 ? undefined : libc.endedChild("any", WNOWAIT);
      if (next === undefined) break;
      if (watched.has(next.pid)) take(next.pid);
      // Somebody else's stands in front, and may for long: ask after each of ours, this once.
      else {
        for (const pid of watched.keys()) take(pid);
        break;
      }
    }
    if (closing && watched.size === 0) signals.off("SIGCHLD", look);
  };
  const take = (pid: number) => {
    const end = libc.endedChild({ pid }, 0);
    if (end === undefined) return;
    const ended = watched.get(pid);
    watched.delete(pid);
    ended?.(describeEnd(end));
  };
  signals.on("SIGCHLD", look);
  return {
    watch(pid, ended) {
      watched.set(pid, ended);
      take(pid); // its signal may have come before we knew of it
    },
    pids: () => [...watched.keys()],
    close() {
      closing = true;
      look();
    },
  };
}

function describeEnd({ status, signaled }: EndedChild): ChildEnd {
  return signaled ? { exitCode: null, signal: signalNames.get(status) ?? "SIGKILL" } : { exitCode: status, signal: null };
}
