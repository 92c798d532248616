import { matchZone } from "../../../decide/dns/name.ts";
import { after, type Handler, type PluginEnvironment } from "../../plugin.ts";
import { requestMetrics } from "./request-metrics.ts";

/** Counts what goes down the chain below it, and what comes back. */
export function prometheusHandler(zones: readonly string[], { clock, metrics }: Pick<PluginEnvironment, "clock" | "metrics">): Handler {
  const requests = requestMetrics(metrics);
  return {
    name: "prometheus",
    repeatable: true,
    repeats: (request, outcome) => requests.repeated(request, matchZone(zones, request.name) ?? ".", outcome),
    serveDNS(request, next) {
      const zone = matchZone(zones, request.name) ?? ".";
      const began = clock.monotonic();
      return after(next(request), (outcome) => {
        requests.count(request, zone, outcome, clock.monotonic() - began);
        return outcome;
      });
    },
  };
}
