/**
 * A process in namespaces begins as a tool that prepares it, which becomes the next tool and at last the program. Until
 * then its /proc and its user are not yet what they will be: who joins it must not come before.
 */
import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import { sleep, type Clock } from "../../../../lib/clock.ts";

const tools: ReadonlySet<string> = new Set(["unshare", "setpriv", "setsid"]);
const lookMs = 1;
/** A program may be called like one of the tools: nobody waits for that for long. */
const longestMs = 250;

/** Resolves when the program itself runs, or has ended. */
export async function underWay(pid: number, clock: Clock, readProgram = programOf): Promise<void> {
  const from = clock.monotonic();
  while (clock.monotonic() - from < longestMs) {
    const program = readProgram(pid);
    if (program === undefined || !tools.has(basename(program))) return;
    await sleep(clock, lookMs);
  }
}

function programOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    // Gone, or already another user's.
    return undefined;
  }
}
