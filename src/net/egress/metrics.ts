import type { Counter, Family, Gauge, MetricsRegistry } from "../../lib/metrics.ts";

export interface EgressMetrics {
  /** By protocol: `tcp`, `udp`. */
  readonly flows: Family<Counter>;
  readonly openConnections: Gauge;
  /** By reason: an EgressRefusal, an errno, `TooMany`. */
  readonly refused: Family<Counter>;
}

export function egressMetrics(registry: MetricsRegistry): EgressMetrics {
  return {
    flows: registry.counter("fairlead_egress_flows_total", "Connections and UDP sessions from pods to outside of the cluster.", [
      "protocol",
    ]),
    openConnections: registry.gauge("fairlead_egress_connections_open", "TCP connections from pods to outside that are open.").labels(),
    refused: registry.counter("fairlead_egress_refused_total", "Flows from pods to outside that did not come about.", ["reason"]),
  };
}
