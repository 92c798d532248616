import { expect, test } from "vitest";
import { FakeClock } from "../lib/clock.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { createEventLoopMonitor, type DelaySource } from "./event-loop.ts";

class Delays implements DelaySource {
  max = 0;
  percentile(): number {
    return this.max;
  }
  enable() {}
  disable() {}
  reset() {
    this.max = 0;
  }
}

test("a stall shows in the metric, makes the process unready, and is forgotten", async () => {
  const [clock, metrics, delays] = [new FakeClock(), new MetricsRegistry(), new Delays()];
  const monitor = createEventLoopMonitor({ clock, metrics, delays });
  await monitor.start();
  expect(monitor.ready()).toEqual({ ready: true });
  expect(metrics.text()).toContain('fairlead_event_loop_lag_seconds{quantile="0.99"} 0\n');
  delays.max = 2.6e9;
  expect(metrics.text()).toContain('fairlead_event_loop_lag_seconds{quantile="0.99"} 2.5\n');
  expect(monitor.ready()).toEqual({ ready: false, reason: "the event loop ran 2.5 s late within the last 10 s" });
  clock.advance(10_000);
  expect(monitor.ready()).toEqual({ ready: true });
  await monitor.stop();
});
