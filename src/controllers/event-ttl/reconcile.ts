/** Which Events are over. Upstream gives each an hour in etcd (`--event-ttl`), from its last write. Pure. */
import type { Event } from "../../api/types.ts";

export function expiredEvents(events: readonly Event[], ttlMs: number, now: number): readonly Event[] {
  return events.filter((event) => lastSeen(event) + ttlMs <= now);
}

/** An Event that does not say when counts as new: it is kept. */
function lastSeen({ lastTimestamp, eventTime, series, metadata }: Event): number {
  const times = [series?.lastObservedTime, lastTimestamp, eventTime, metadata.creationTimestamp]
    .map((time) => Date.parse(time ?? ""))
    .filter((time) => !Number.isNaN(time));
  return times.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...times);
}
