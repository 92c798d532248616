import type { CountAgain } from "../../plugin.ts";
import type { MetricsRegistry } from "../../../lib/metrics.ts";

export type Pool = "success" | "denial";

interface Where {
  readonly server: string;
  readonly view: string;
}

/** CoreDNS's metrics of the cache. */
export interface CacheMetrics {
  hit(where: Where, pool: Pool): void;
  /** Counts the same again; one function for all that are counted alike. */
  hitAgain(where: Where, pool: Pool): CountAgain;
  miss(where: Where): void;
  /** An answer to another question than was asked. */
  drop(where: Where): void;
  evict(where: Where, pool: Pool): void;
  prefetch(where: Where): void;
  stale(where: Where): void;
  size(where: Where, pool: Pool, entries: number): void;
}

export function cacheMetrics(metrics: MetricsRegistry, zones: string): CacheMetrics {
  const common = ["server", "zones", "view"];
  const byType = ["server", "type", "zones", "view"];
  const plain = (name: string, help: string) => {
    const family = metrics.counter(name, help, common);
    return ({ server, view }: Where) => family.labels(server, zones, view).inc();
  };
  const requestsOf = metrics.counter("coredns_cache_requests_total", "The count of cache requests.", common);
  const requests = ({ server, view }: Where) => requestsOf.labels(server, zones, view).inc();
  const counters = new Map<string, CountAgain>();
  const misses = plain("coredns_cache_misses_total", "The count of cache misses.");
  const hits = metrics.counter("coredns_cache_hits_total", "The count of cache hits.", byType);
  const evictions = metrics.counter("coredns_cache_evictions_total", "The count of cache evictions.", byType);
  const entries = metrics.gauge("coredns_cache_entries", "The number of elements in the cache.", byType);
  return {
    hit(where, pool) {
      requests(where);
      hits.labels(where.server, pool, zones, where.view).inc();
    },
    hitAgain: ({ server, view }, pool) => {
      const key = `${pool} ${server} ${view}`;
      let again = counters.get(key);
      if (again === undefined) {
        const [all, own] = [requestsOf.labels(server, zones, view), hits.labels(server, pool, zones, view)];
        counters.set(
          key,
          (again = (times) => {
            all.inc(times);
            own.inc(times);
          }),
        );
      }
      return again;
    },
    miss(where) {
      requests(where);
      misses(where);
    },
    drop: plain("coredns_cache_drops_total", "The number responses that are not cached, because the reply is malformed."),
    prefetch: plain("coredns_cache_prefetch_total", "The number of times the cache has prefetched a cached item."),
    stale: plain("coredns_cache_served_stale_total", "The number of requests served from stale cache entries."),
    evict: ({ server, view }, pool) => evictions.labels(server, pool, zones, view).inc(),
    size: ({ server, view }, pool, count) => entries.labels(server, pool, zones, view).set(count),
  };
}
