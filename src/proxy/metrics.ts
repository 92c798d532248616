/** kube-proxy's metrics, by their names (upstream pkg/proxy/metrics/metrics.go), and the userspace backend's own. */
import type { PortPlan, ServicePlan } from "../decide/proxy/index.ts";
import type { IpFamily } from "../lib/ip.ts";
import type { Counter, Family, Gauge, Histogram, MetricsRegistry } from "../lib/metrics.ts";

export interface ProxyMetrics {
  readonly syncDuration: Histogram;
  readonly networkProgrammingDuration: Histogram;
  readonly lastSync: Gauge;
  readonly lastQueued: Gauge;
  readonly endpointChanges: Counter;
  readonly serviceChanges: Counter;
  readonly pendingEndpointChanges: Gauge;
  readonly pendingServiceChanges: Gauge;
  readonly connections: Counter;
  readonly retries: Counter;
  /** By `reason`. */
  readonly refused: Family<Counter>;
  readonly openConnections: Gauge;
}

/** Of mode iptables, with kube-proxy's names. */
export interface IptablesMetrics {
  /** By table and family: rules that are ours, and those written by the last restore. */
  readonly rules: Family<Gauge>;
  readonly written: Family<Gauge>;
  /** By family. */
  readonly restoreFailures: Family<Counter>;
  readonly partialRestoreFailures: Family<Counter>;
  readonly fullSync: Family<Histogram>;
  readonly partialSync: Family<Histogram>;
}

export function iptablesMetrics(registry: MetricsRegistry): IptablesMetrics {
  const sync = "kubeproxy_sync_proxy_rules_iptables";
  const duration = (which: string) =>
    registry.histogram(`kubeproxy_sync_${which}_proxy_rules_duration_seconds`, `Time of one ${which} sync`, ["ip_family"], syncBuckets);
  return {
    rules: registry.gauge(`${sync}_total`, "Rules of iptables that are the proxy's", ["table", "ip_family"]),
    written: registry.gauge(`${sync}_last`, "Rules of iptables that the last sync has written", ["table", "ip_family"]),
    restoreFailures: registry.counter(`${sync}_restore_failures_total`, "Restores that iptables refused", ["ip_family"]),
    partialRestoreFailures: registry.counter(`${sync}_partial_restore_failures_total`, "Partial restores that iptables refused", [
      "ip_family",
    ]),
    fullSync: duration("full"),
    partialSync: duration("partial"),
  };
}

/** 1 ms doubling to 16 s: upstream's buckets of sync_proxy_rules_duration_seconds. */
const syncBuckets = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);
/** Upstream's buckets of network_programming_duration_seconds, from 1 ms instead of 250 ms on: here most are below that. */
const programmingBuckets = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300];

/**
 * `plans` is read at each scrape. kube-proxy has a proxier per family, and a label of it; here one sync serves both families,
 * and is shown under each.
 */
export function proxyMetrics(
  registry: MetricsRegistry,
  plans: () => Iterable<ServicePlan>,
  families: readonly IpFamily[] = [4, 6],
): ProxyMetrics {
  const names = families.map((family) => `IPv${family}`);
  const gauge = (name: string, help: string) => registry.gauge(name, help).labels();
  const gauges = (name: string, help: string): Gauge => {
    const family = registry.gauge(name, help, ["ip_family"]);
    const each = names.map((one) => family.labels(one));
    return { set: (value) => each.forEach((one) => one.set(value)), inc: (by) => each.forEach((one) => one.inc(by)) };
  };
  const histograms = (name: string, help: string, buckets: readonly number[]): Histogram => {
    const family = registry.histogram(name, help, ["ip_family"], buckets);
    const each = names.map((one) => family.labels(one));
    return { observe: (value) => each.forEach((one) => one.observe(value)) };
  };
  const counter = (name: string, help: string) => registry.counter(name, help).labels();
  const sync = "kubeproxy_sync_proxy_rules";
  const noLocal = registry.gauge(
    `${sync}_no_local_endpoints_total`,
    "Service ports with policy Local and no endpoint here",
    ["traffic_policy", "ip_family"],
    () => {
      for (const family of families) {
        for (const policy of ["internal", "external"] as const)
          noLocal.labels(policy, `IPv${family}`).set(countWithoutLocal(plans(), policy, family));
      }
    },
  );
  return {
    syncDuration: histograms(`${sync}_duration_seconds`, "Time of one sync", syncBuckets),
    networkProgrammingDuration: histograms(
      "kubeproxy_network_programming_duration_seconds",
      "From the change of a pod or Service to traffic that follows it",
      programmingBuckets,
    ),
    lastSync: gauges(`${sync}_last_timestamp_seconds`, "When the last sync succeeded"),
    lastQueued: gauges(`${sync}_last_queued_timestamp_seconds`, "When the last sync was asked for"),
    endpointChanges: counter(`${sync}_endpoint_changes_total`, "Changes of endpoints seen"),
    serviceChanges: counter(`${sync}_service_changes_total`, "Changes of Services seen"),
    pendingEndpointChanges: gauge(`${sync}_endpoint_changes_pending`, "Changes of endpoints not yet applied"),
    pendingServiceChanges: gauge(`${sync}_service_changes_pending`, "Changes of Services not yet applied"),
    connections: counter("fairlead_proxy_connections_total", "Connections carried to an endpoint"),
    retries: counter("fairlead_proxy_connect_retries_total", "Endpoints that could not be reached, so that another was tried"),
    refused: registry.counter("fairlead_proxy_connections_refused_total", "Connections refused", ["reason"]),
    openConnections: gauge("fairlead_proxy_connections_open", "Connections being carried"),
  };
}

/** Service ports of a family for which a policy Local drops traffic here that another node could take. */
export function countWithoutLocal(plans: Iterable<ServicePlan>, policy: "internal" | "external", family: IpFamily): number {
  let count = 0;
  for (const plan of plans) if (plan.kind === "service") count += plan.ports.filter((port) => dropsHere(port, policy, family)).length;
  return count;
}

function dropsHere({ addresses }: PortPlan, policy: "internal" | "external", of: IpFamily): boolean {
  return addresses.some(
    ({ kind, family, verdicts }) =>
      family === of && (kind === "clusterIP") === (policy === "internal") && verdicts.external.kind === "drop",
  );
}
