/** Requests counted and timed, under upstream's metric names (apiserver `pkg/endpoints/metrics`). */
import type { MetricsRegistry } from "../lib/metrics.ts";
import type { RequestInfo } from "./request-info.ts";

export interface RequestMetrics {
  observe(info: RequestInfo, status: number, seconds: number): void;
}

/** Verbs whose requests last as long as the client likes: their duration says nothing. */
const longRunning: ReadonlySet<string> = new Set(["watch"]);

export function requestMetrics(metrics: MetricsRegistry): RequestMetrics {
  const labels = ["verb", "group", "version", "resource", "subresource"];
  const total = metrics.counter("apiserver_request_total", "Requests, by verb, resource and HTTP status.", [...labels, "code"]);
  const duration = metrics.histogram("apiserver_request_duration_seconds", "Time from a request to the beginning of its answer.", labels);
  return {
    observe(info, status, seconds) {
      // What nobody serves goes under one name: strangers must not make new series without end.
      const known = info.kind === "resource" && status !== 403 && status !== 404 ? info : undefined;
      const values = [info.verb.toUpperCase(), known?.group ?? "", known?.version ?? "", known?.plural ?? "", known?.subresource ?? ""];
      total.labels(...values, String(status)).inc();
      if (!longRunning.has(info.verb)) duration.labels(...values).observe(seconds);
    },
  };
}
