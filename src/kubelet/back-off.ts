/**
 * The pause between restarts of a container: none before the first, then 10 s doubling to 5 min; forgotten once a
 * container ran for 10 minutes (client-go `flowcontrol.Backoff` as the kubelet's `doBackOff` uses it).
 */

export interface BackOffPolicy {
  readonly initialMs: number;
  readonly maxMs: number;
}

export const defaultBackOff: BackOffPolicy = { initialMs: 10_000, maxMs: 300_000 };

/** The state of one container's back-off; undefined before its first restart. */
export interface BackOff {
  readonly delayMs: number;
  /** When the last restart was allowed, ms since the epoch. */
  readonly at: number;
}

/** Milliseconds to wait before a container that finished at `finishedAt` may start again; 0: now. */
export function backOffRemaining(entry: BackOff | undefined, finishedAt: number, now: number, policy: BackOffPolicy): number {
  if (entry === undefined || expired(entry, finishedAt, policy)) return 0;
  return Math.max(0, finishedAt + entry.delayMs - now);
}

/** The state after a restart is allowed at `now`. */
export function nextBackOff(entry: BackOff | undefined, finishedAt: number, now: number, policy: BackOffPolicy): BackOff {
  if (entry === undefined || expired(entry, finishedAt, policy)) return { delayMs: policy.initialMs, at: now };
  return { delayMs: Math.min(entry.delayMs * 2, policy.maxMs), at: now };
}

function expired(entry: BackOff, finishedAt: number, policy: BackOffPolicy): boolean {
  return finishedAt - entry.at > policy.maxMs * 2;
}
