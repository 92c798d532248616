/** Tells how long it took to forget stale flows, and how many went. The kernel says the number of flows, not whose they were: others' may come and go meanwhile. */
import type { Conntrack } from "../host/conntrack/conntrack.ts";
import type { IpFamily } from "../lib/ip.ts";
import { familyLabel, type ConntrackMetrics } from "./mode-metrics.ts";

export function meteredConntrack(conntrack: Conntrack, metrics: ConntrackMetrics): Conntrack {
  const each = <T>(items: readonly T[], ipOf: (item: T) => string, remove: (some: readonly T[]) => void) => {
    for (const family of [4, 6] as const) {
      const some = items.filter((item) => ipOf(item).includes(":") === (family === 6));
      if (some.length > 0) metered(family, () => remove(some));
    }
  };
  const metered = (family: IpFamily, remove: () => void) => {
    const [before, started] = [conntrack.count(), performance.now()];
    remove();
    metrics.duration.labels(familyLabel(family)).observe((performance.now() - started) / 1000);
    metrics.deleted.labels(familyLabel(family)).inc(Math.max(0, before - conntrack.count()));
  };
  return {
    ...conntrack,
    remove: (flows) =>
      each(
        flows,
        ({ original }) => original.destination.ip,
        (some) => conntrack.remove(some),
      ),
    removeMatching: (protocol, matches) =>
      each(
        matches,
        ({ destination }) => destination.ip,
        (some) => conntrack.removeMatching(protocol, some),
      ),
  };
}
