import { expect, test } from "vitest";
import { FakeClock, rfc3339, rfc3339Micro, sleep } from "./clock.ts";
import { createLogger } from "./log.ts";
import { MetricsRegistry } from "./metrics.ts";

test("a fake clock runs what falls due, in order, each at its own time", async () => {
  const clock = new FakeClock(0);
  const seen: [string, number][] = [];
  clock.after(20, () => seen.push(["b", clock.now()]));
  clock.after(10, () => {
    seen.push(["a", clock.now()]);
    clock.after(5, () => seen.push(["nested", clock.now()]));
  });
  clock.after(15, () => seen.push(["cancelled", clock.now()])).cancel();
  clock.advance(30);
  expect(seen).toEqual([
    ["a", 10],
    ["nested", 15],
    ["b", 20],
  ]);
  expect(clock.now()).toBe(30);
  const slept = sleep(clock, 100);
  await clock.advanceAsync(100);
  await slept;
});

test("a sleep ends with its signal", async () => {
  const stop = new AbortController();
  const slept = sleep(new FakeClock(), 1000, stop.signal);
  stop.abort(new Error("stopped"));
  await expect(slept).rejects.toThrow("stopped");
});

test("times are written as the API writes them", () => {
  const time = Date.UTC(2026, 10, 21, 9, 28, 27, 45);
  expect(rfc3339(time)).toBe("2026-11-21T09:28:27Z");
  expect(rfc3339Micro(time)).toBe("2026-11-21T09:28:27.045000Z");
});

test("log lines carry component and fields, and drop what is below the level", () => {
  const lines: string[] = [];
  const log = createLogger({ write: (line) => lines.push(line), now: () => 0, level: "info" });
  log.child("dns", { zone: "." }).info("reloaded", { took: 3, why: 'said "so"' });
  log.debug("unseen");
  createLogger({ write: (line) => lines.push(line), now: () => 0, format: "json" }).error("no", { error: new Error("broken") });
  expect(lines).toEqual([
    '1970-01-01T00:00:00.000Z info  dns: reloaded zone="." took=3 why="said \\"so\\""\n'.replace('zone="."', "zone=."),
    '{"time":"1970-01-01T00:00:00.000Z","level":"error","component":"","message":"no","error":"broken"}\n',
  ]);
});

test("metrics are written in Prometheus' text format", () => {
  const registry = new MetricsRegistry();
  registry.counter("requests_total", "Requests.", ["code"]).labels("200").inc();
  registry.counter("requests_total", "Requests.", ["code"]).labels("200").inc(2);
  registry.gauge("up", 'A "gauge".').labels().set(1);
  const seconds = registry.histogram("wait_seconds", "Wait.", ["to"], [0.1, 1]).labels('a"b');
  seconds.observe(0.05);
  seconds.observe(0.5);
  seconds.observe(5);
  expect(registry.text()).toBe(`# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{code="200"} 3
# HELP up A "gauge".
# TYPE up gauge
up 1
# HELP wait_seconds Wait.
# TYPE wait_seconds histogram
wait_seconds_bucket{to="a\\"b",le="0.1"} 1
wait_seconds_bucket{to="a\\"b",le="1"} 2
wait_seconds_bucket{to="a\\"b",le="+Inf"} 3
wait_seconds_sum{to="a\\"b"} 5.55
wait_seconds_count{to="a\\"b"} 3
`);
  expect(() => registry.gauge("requests_total", "")).toThrow("already a counter");
});
