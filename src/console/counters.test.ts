import { describe, expect, test } from "vitest";
import { MetricsRegistry } from "../lib/metrics.ts";
import { parseSamples } from "./counters.ts";

describe("counters", () => {
  test("our own metrics come back with their labels, others are passed over", () => {
    const metrics = new MetricsRegistry();
    const counter = metrics.counter("seen_total", "What was seen", ["name", "code"]);
    counter.labels('a "quoted" \\ } name', "200").inc(3);
    counter.labels("line\nbreak", "500").inc(4.5);
    metrics.counter("seen_total_more", "Another").labels().inc();
    metrics.gauge("plain", "Without labels").labels().set(7);
    expect(parseSamples(metrics.text(), ["seen_total", "plain"])).toEqual([
      { name: "plain", labels: {}, value: 7 },
      { name: "seen_total", labels: { name: 'a "quoted" \\ } name', code: "200" }, value: 3 },
      { name: "seen_total", labels: { name: "line\nbreak", code: "500" }, value: 4.5 },
    ]);
  });

  test("what is no sample is none", () => {
    expect(parseSamples("a\na{\na x\na NaN\n# a 1\na 1\n", ["a"])).toEqual([{ name: "a", labels: {}, value: 1 }]);
  });
});
