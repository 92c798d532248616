import type { MetricsRegistry } from "../../../lib/metrics.ts";

export type Pool = "success" | "denial";

/** CoreDNS's metrics of the cache. */
export interface CacheMetrics {
  hit(server: string, pool: Pool): void;
  miss(server: string): void;
  /** An answer to another question than was asked. */
  drop(server: string): void;
  evict(server: string, pool: Pool): void;
  size(server: string, pool: Pool, entries: number): void;
}

export function cacheMetrics(metrics: MetricsRegistry, zones: string): CacheMetrics {
  const common = ["server", "zones", "view"];
  const byType = ["server", "type", "zones", "view"];
  const requests = metrics.counter("coredns_cache_requests_total", "The count of cache requests.", common);
  const hits = metrics.counter("coredns_cache_hits_total", "The count of cache hits.", byType);
  const misses = metrics.counter("coredns_cache_misses_total", "The count of cache misses.", common);
  const drops = metrics.counter(
    "coredns_cache_drops_total",
    "The number responses that are not cached, because the reply is malformed.",
    common,
  );
  const evictions = metrics.counter("coredns_cache_evictions_total", "The count of cache evictions.", byType);
  const entries = metrics.gauge("coredns_cache_entries", "The number of elements in the cache.", byType);
  return {
    hit(server, pool) {
      requests.labels(server, zones, "").inc();
      hits.labels(server, pool, zones, "").inc();
    },
    miss(server) {
      requests.labels(server, zones, "").inc();
      misses.labels(server, zones, "").inc();
    },
    drop: (server) => drops.labels(server, zones, "").inc(),
    evict: (server, pool) => evictions.labels(server, pool, zones, "").inc(),
    size: (server, pool, count) => entries.labels(server, pool, zones, "").set(count),
  };
}
