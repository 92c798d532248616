/** The gateway's metrics. Requests are counted by Ingress and code; paths and hosts are strangers' words and never labels. */
import type { MetricsRegistry } from "../lib/metrics.ts";
import type { EngineStats } from "./engine/engine.ts";
import type { RequestRecord } from "./engine/requests.ts";

export interface GatewayMetrics {
  request(record: RequestRecord): void;
  published(seconds: number): void;
}

const publishBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25];

/** Counts a request by the object whose rule took it. */
export function requestMetrics(registry: MetricsRegistry): (record: RequestRecord) => void {
  const requests = registry.counter("fairlead_gateway_requests_total", "Requests answered", ["ingress", "code"]);
  const refused = registry.counter("fairlead_gateway_refused_total", "Requests that could not be read, by code", ["code"]);
  const duration = registry
    .histogram("fairlead_gateway_request_duration_seconds", "From a request's head to the end of its answer")
    .labels();
  return ({ request, route, status, milliseconds }) => {
    if (request === undefined) return refused.labels(String(status)).inc();
    const source = route === undefined ? "" : `${route.source.namespace}/${route.source.name}`;
    requests.labels(source, String(status)).inc();
    duration.observe(milliseconds / 1000);
  };
}

export function gatewayMetrics(registry: MetricsRegistry, stats: () => EngineStats): GatewayMetrics {
  const publish = registry
    .histogram("fairlead_gateway_publish_duration_seconds", "Time to work out and swap a change", [], publishBuckets)
    .labels();
  registry.gauge("fairlead_gateway_clients_open", "Connections of clients", [], () => {
    registry.gauge("fairlead_gateway_clients_open", "Connections of clients").labels().set(stats().clients);
    registry.gauge("fairlead_gateway_tunnels_open", "Upgraded connections").labels().set(stats().tunnels);
  });
  return {
    request: requestMetrics(registry),
    published: (seconds) => publish.observe(seconds),
  };
}
