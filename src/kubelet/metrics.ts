/** The kubelet's metrics, by upstream's names (pkg/kubelet/metrics, pkg/kubelet/prober). */
import type { Counter, Family, Gauge, Histogram, MetricsRegistry } from "../lib/metrics.ts";

export interface KubeletMetrics {
  readonly runningPods: Gauge;
  readonly startedContainers: Counter;
  readonly startErrors: Family<Counter>;
  readonly podStartSeconds: Histogram;
  /** probe_type, result, container, pod, namespace */
  readonly probes: Family<Counter>;
}

export function kubeletMetrics(registry: MetricsRegistry): KubeletMetrics {
  const startBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60];
  return {
    runningPods: registry.gauge("kubelet_running_pods", "Number of pods that have a worker on this node.").labels(),
    startedContainers: registry.counter("kubelet_started_containers_total", "Cumulative number of containers started.").labels(),
    startErrors: registry.counter("kubelet_started_containers_errors_total", "Cumulative number of errors when starting containers.", [
      "code",
    ]),
    podStartSeconds: registry
      .histogram(
        "kubelet_pod_start_duration_seconds",
        "Seconds from the kubelet seeing a pod to its first container running.",
        [],
        startBuckets,
      )
      .labels(),
    probes: registry.counter("prober_probe_total", "Cumulative number of a container's probes by result.", [
      "probe_type",
      "result",
      "container",
      "pod",
      "namespace",
    ]),
  };
}
