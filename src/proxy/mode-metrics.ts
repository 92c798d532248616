/** What a kernel mode tells of its work, by kube-proxy's names (upstream pkg/proxy/metrics/metrics.go). */
import type { IpFamily } from "../lib/ip.ts";
import type { Counter, Family, Histogram, Gauge, MetricsRegistry } from "../lib/metrics.ts";
import { syncBuckets } from "./metrics.ts";

/** By family; where one sync serves both, it is shown under each. */
export interface RuleSyncMetrics {
  /** Everything was written. */
  readonly fullSync: Family<Histogram>;
  /** What had changed was written. */
  readonly partialSync: Family<Histogram>;
}

export interface IptablesMetrics extends RuleSyncMetrics {
  /** By table and family: rules that are ours, and those written by the last restore. */
  readonly rules: Family<Gauge>;
  readonly written: Family<Gauge>;
  /** By family. */
  readonly restoreFailures: Family<Counter>;
  readonly partialRestoreFailures: Family<Counter>;
}

export interface NftablesMetrics extends RuleSyncMetrics {
  /** By family. */
  readonly syncFailures: Family<Counter>;
  readonly cleanupFailures: Family<Counter>;
}

export interface ConntrackMetrics {
  /** By family. */
  readonly duration: Family<Histogram>;
  readonly deleted: Family<Counter>;
}

const rules = "kubeproxy_sync_proxy_rules";
const byFamily = ["ip_family"];

function ruleSyncMetrics(registry: MetricsRegistry): RuleSyncMetrics {
  const duration = (which: string) =>
    registry.histogram(`kubeproxy_sync_${which}_proxy_rules_duration_seconds`, `Time of one ${which} sync`, byFamily, syncBuckets);
  return { fullSync: duration("full"), partialSync: duration("partial") };
}

export function iptablesMetrics(registry: MetricsRegistry): IptablesMetrics {
  return {
    ...ruleSyncMetrics(registry),
    rules: registry.gauge(`${rules}_iptables_total`, "Rules of iptables that are the proxy's", ["table", ...byFamily]),
    written: registry.gauge(`${rules}_iptables_last`, "Rules of iptables that the last sync has written", ["table", ...byFamily]),
    restoreFailures: restoreFailures(registry),
    partialRestoreFailures: registry.counter(
      `${rules}_iptables_partial_restore_failures_total`,
      "Partial restores that iptables refused",
      byFamily,
    ),
  };
}

/** Mode ipvs has some rules of iptables too. */
export function restoreFailures(registry: MetricsRegistry): Family<Counter> {
  return registry.counter(`${rules}_iptables_restore_failures_total`, "Restores that iptables refused", byFamily);
}

export function nftablesMetrics(registry: MetricsRegistry): NftablesMetrics {
  return {
    ...ruleSyncMetrics(registry),
    syncFailures: registry.counter(`${rules}_nftables_sync_failures_total`, "Transactions that the kernel refused", byFamily),
    cleanupFailures: registry.counter(
      `${rules}_nftables_cleanup_failures_total`,
      "Attempts to take away what an earlier proxy has left that failed",
      byFamily,
    ),
  };
}

export function conntrackMetrics(registry: MetricsRegistry): ConntrackMetrics {
  const name = "kubeproxy_conntrack_reconciler";
  return {
    duration: registry.histogram(`${name}_sync_duration_seconds`, "Time of forgetting flows that went stale", byFamily, syncBuckets),
    deleted: registry.counter(`${name}_deleted_entries_total`, "Flows that were forgotten", byFamily),
  };
}

export const familyLabel = (family: IpFamily): string => `IPv${family}`;
