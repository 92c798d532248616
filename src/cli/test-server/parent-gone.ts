/** Notices that the process which started this one is gone: whoever is orphaned gets another parent (wait(2)). */
import type { Clock, Timer } from "../../lib/clock.ts";

export interface ParentOptions {
  readonly clock: Clock;
  /** The parent's process id now. */
  readonly parent: () => number;
}

const intervalMs = 250;

/** Calls `gone` once. Returns what ends the watch. */
export function parentGone({ clock, parent }: ParentOptions, gone: () => void): () => void {
  const first = parent();
  let timer: Timer;
  const look = () => {
    if (parent() === first) timer = clock.after(intervalMs, look);
    else gone();
  };
  timer = clock.after(intervalMs, look);
  return () => timer.cancel();
}
