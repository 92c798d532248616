/** kube-proxy's metrics, by their names (upstream pkg/proxy/metrics/metrics.go), and the userspace backend's own. */
import type { ServicePlan } from "../decide/proxy/index.ts";
import type { IpFamily } from "../lib/ip.ts";
import type { Counter, Family, Gauge, Histogram, MetricsRegistry } from "../lib/metrics.ts";
import { countDrops } from "./no-local-endpoints.ts";

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
  /** A Service's plan has become another; undefined: there was or is none. */
  planned(old: ServicePlan | undefined, next: ServicePlan | undefined): void;
}

/** 1 ms doubling to 16 s: upstream's buckets of sync_proxy_rules_duration_seconds. */
export const syncBuckets = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);
/** Upstream's buckets of network_programming_duration_seconds, from 1 ms instead of 250 ms on: here most are below that. */
const programmingBuckets = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300];

/** kube-proxy has a proxier per family, and a label of it; here one sync serves both families, and is shown under each. */
export function proxyMetrics(registry: MetricsRegistry, families: readonly IpFamily[] = [4, 6]): ProxyMetrics {
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
  const noLocal = registry.gauge(`${sync}_no_local_endpoints_total`, "Service ports with policy Local and no endpoint here", [
    "traffic_policy",
    "ip_family",
  ]);
  // Shown from the start, and not set: several nodes' proxies may count here.
  for (const policy of ["internal", "external"]) for (const family of names) noLocal.labels(policy, family);
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
    planned: (old, next) =>
      countDrops(old, next, (policy, family, by) => void (families.includes(family) && noLocal.labels(policy, `IPv${family}`).inc(by))),
  };
}
