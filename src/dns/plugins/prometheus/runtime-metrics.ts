/** What this process uses, under the names that Prometheus' process collector has. */
import type { MetricsRegistry } from "../../../lib/metrics.ts";

export function registerRuntimeMetrics(metrics: MetricsRegistry): void {
  const resident = metrics.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", [], () =>
    resident.labels().set(process.memoryUsage.rss()),
  );
  const cpu = metrics.gauge("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", [], () => {
    const { user, system } = process.cpuUsage();
    cpu.labels().set((user + system) / 1e6);
  });
  const start = metrics.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.");
  start.labels().set(Math.round(performance.timeOrigin) / 1000);
  metrics
    .gauge("coredns_build_info", "A metric with a constant '1' value labeled by version.", ["version", "revision"])
    .labels("fairlead", "")
    .set(1);
}
