/** Measures every few seconds what a pod with limits on its storage has written, until it is too much. */
import type { Pod } from "../../api/types.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { storageEviction, type StorageUsage } from "./storage-limits.ts";

export interface StorageWatchOptions {
  readonly pod: () => Pod;
  readonly measure: () => Promise<StorageUsage>;
  /** Once. */
  readonly exceeded: (message: string) => void;
  readonly periodMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Gives the way to stop. */
export function watchStorage({ pod, measure, exceeded, periodMs, clock, log }: StorageWatchOptions): () => void {
  let stopped = false;
  let timer: Timer | undefined;
  const look = async () => {
    try {
      const message = storageEviction(pod(), await measure());
      if (stopped) return;
      if (message !== undefined) return exceeded(message);
    } catch (error) {
      log.warn("what a pod has written could not be measured", { pod: pod().metadata.name, error: errorMessage(error) });
    }
    next();
  };
  const next = () => {
    if (!stopped) timer = clock.after(periodMs, () => void look());
  };
  next();
  return () => {
    stopped = true;
    timer?.cancel();
  };
}
