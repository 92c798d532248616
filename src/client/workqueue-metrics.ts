/** The metrics of a work queue, named as Kubernetes' components name them (client-go `util/workqueue/metrics.go`). */
import { MetricsRegistry, type Counter, type Gauge, type Histogram } from "../lib/metrics.ts";

export interface QueueMetrics {
  readonly depth: Gauge;
  readonly adds: Counter;
  readonly retries: Counter;
  /** Seconds between being added and being taken. */
  readonly waited: Histogram;
  /** Seconds of work. */
  readonly worked: Histogram;
}

/** Seconds, 10 µs to 100 s. */
const buckets = [1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100];

export function queueMetrics(shown: MetricsRegistry | undefined, name: string): QueueMetrics {
  const registry = shown ?? new MetricsRegistry();
  const names = ["name"];
  return {
    depth: registry.gauge("workqueue_depth", "Keys that wait for a worker.", names).labels(name),
    adds: registry.counter("workqueue_adds_total", "Keys added.", names).labels(name),
    retries: registry.counter("workqueue_retries_total", "Keys added after a failure.", names).labels(name),
    waited: registry.histogram("workqueue_queue_duration_seconds", "How long keys waited for a worker.", names, buckets).labels(name),
    worked: registry.histogram("workqueue_work_duration_seconds", "How long keys were worked on.", names, buckets).labels(name),
  };
}
