/** Counts requests under way and refuses those beyond the limit (apiserver `pkg/server/filters/maxinflight.go`). */
import { tooManyRequestsError } from "../../api/status.ts";
import type { Gauge, MetricsRegistry } from "../../lib/metrics.ts";
import type { RequestLimits } from "./limits.ts";
import type { RequestHead } from "./read-request.ts";

interface Lane {
  readonly limit: number;
  readonly gauge: Gauge;
  count: number;
}

export class InFlight {
  readonly #reading: Lane;
  readonly #mutating: Lane;

  constructor({ inFlight, mutatingInFlight }: Pick<RequestLimits, "inFlight" | "mutatingInFlight">, metrics: MetricsRegistry) {
    const gauge = metrics.gauge("apiserver_current_inflight_requests", "Requests under way, watches and logs aside.", ["request_kind"]);
    this.#reading = { limit: inFlight, gauge: gauge.labels("readOnly"), count: 0 };
    this.#mutating = { limit: mutatingInFlight, gauge: gauge.labels("mutating"), count: 0 };
  }

  /** Gives the way out, which may be taken more than once. Throws 429. */
  enter({ method }: Pick<RequestHead, "method">): () => void {
    const lane = method === "GET" || method === "HEAD" || method === "OPTIONS" ? this.#reading : this.#mutating;
    if (lane.count >= lane.limit) throw tooManyRequestsError("too many requests, please try again later", 1);
    lane.gauge.set(++lane.count);
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      lane.gauge.set(--lane.count);
    };
  }
}
