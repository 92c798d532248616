/**
 * How late the event loop runs: everything in this thread waits as long. A metric, and a part of readiness: a process that
 * answers seconds late is not ready, whatever else it says.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock, Timer } from "../lib/clock.ts";
import type { MetricsRegistry } from "../lib/metrics.ts";
import { isReady, type Component, type Readiness } from "./component.ts";

/** What is measured; a histogram of node:perf_hooks fits. Times in ns. */
export interface DelaySource {
  readonly max: number;
  percentile(percentile: number): number;
  enable(): unknown;
  disable(): unknown;
  reset(): unknown;
}

export interface EventLoopOptions {
  readonly clock: Clock;
  readonly metrics: MetricsRegistry;
  /** Default: node:perf_hooks, looking ten times a second (a finer look would keep an idle process awake). */
  readonly delays?: DelaySource;
}

/** Figures are of this long; a stall is forgotten after it. */
const windowMs = 10_000;
const tooLateMs = 1000;
const quantiles = [50, 99, 100];

export function createEventLoopMonitor({
  clock,
  metrics,
  delays = monitorEventLoopDelay({ resolution: 100 }),
}: EventLoopOptions): Component {
  let timer: Timer | undefined;
  // What the look itself waits (its resolution) is no lag.
  const lag = (percentile: number) => Math.max(0, delays.percentile(percentile) / 1e6 - 100);
  const gauge = metrics.gauge(
    "fairlead_event_loop_lag_seconds",
    "How late the event loop ran in the last seconds, by quantile.",
    ["quantile"],
    () => {
      for (const quantile of quantiles) gauge.labels(String(quantile / 100)).set(delays.max === 0 ? 0 : lag(quantile) / 1000);
    },
  );
  const renew = () => {
    delays.reset();
    timer = clock.after(windowMs, renew);
  };
  return {
    name: "event-loop",
    async start() {
      delays.enable();
      renew();
    },
    async stop() {
      timer?.cancel();
      delays.disable();
    },
    ready: (): Readiness => {
      const late = delays.max === 0 ? 0 : lag(99);
      return late < tooLateMs
        ? isReady
        : { ready: false, reason: `the event loop ran ${(late / 1000).toFixed(1)} s late within the last ${windowMs / 1000} s` };
    },
  };
}
