/**
 * Finds processes of pods that outlived their container, or the program: by a variable that all processes of a pod
 * inherit, so a process id that is used again is never mistaken for one of ours.
 */
import { processIds, variableOf } from "./proc-tables.ts";

/** Set for all processes of a pod; its value is the pod's own directory. */
export const podVariable = "FAIRLEAD_POD";

/** Kills every process whose mark matches. One pass over the machine's processes, some 20 µs each. Gives how many were killed. */
export async function killMarked(matches: (podDirectory: string) => boolean): Promise<number> {
  let killed = 0;
  for (const pid of await processIds()) {
    if (pid === process.pid) continue;
    const mark = await variableOf(pid, podVariable);
    if (mark !== undefined && matches(mark) && kill(pid)) killed += 1;
  }
  return killed;
}

/** Gathers requests: all that come while one pass is under way share the next. */
export class Sweeper {
  #wanted = new Set<string>();
  #sweeping: Promise<void> | undefined;

  sweep(podDirectory: string): void {
    this.#wanted.add(podDirectory);
    this.#sweeping ??= this.#run();
  }

  async settled(): Promise<void> {
    await this.#sweeping;
  }

  async #run(): Promise<void> {
    while (this.#wanted.size > 0) {
      const marks = this.#wanted;
      this.#wanted = new Set();
      await killMarked((mark) => marks.has(mark));
    }
    this.#sweeping = undefined;
  }
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    // It ended by itself in the meantime.
    return false;
  }
}
