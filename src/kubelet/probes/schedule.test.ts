import { expect, test } from "vitest";
import type { Probe } from "../../api/types.ts";
import { beginProbe, stepProbe, type ProbeKind } from "./schedule.ts";

interface Run {
  /** Times of the tries, ms after the container's start. */
  readonly tries: readonly number[];
  /** When failures counted. */
  readonly failures: readonly number[];
  /** `+t` passed, `-t` no more, `!t` gave up. */
  readonly marks: readonly string[];
}

/** Runs a probe against a container that answers well within `[up, down)`. */
function run(kind: ProbeKind, probe: Probe, untilMs: number, up = Number.POSITIVE_INFINITY, down = Number.POSITIVE_INFINITY): Run {
  let { state, waitMs } = beginProbe(probe, kind, 0, 0);
  const [tries, failures, marks]: [number[], number[], string[]] = [[], [], []];
  for (let now = waitMs; now <= untilMs; now += waitMs) {
    const ok = now >= up && now < down;
    const step = stepProbe(probe, state, ok ? { ok } : { ok, message: "no" }, now);
    tries.push(now);
    if (!ok && step.counted) failures.push(now);
    if (step.state.passed !== state.passed) marks.push(`${step.state.passed ? "+" : "-"}${now}`);
    if (step.gaveUp) marks.push(`!${now}`);
    ({ state, waitMs } = step);
  }
  return { tries, failures, marks };
}

test("readiness: the first success is sought at 25 ms, then at doubling gaps up to the period", () => {
  expect(run("readiness", { periodSeconds: 1 }, 2400).tries).toEqual([25, 75, 175, 375, 775, 1000, 2000]);
  expect(run("readiness", { periodSeconds: 10 }, 60, 20).marks).toEqual(["+25"]);
});

test("after the first success every try is a period apart", () => {
  expect(run("readiness", { periodSeconds: 1, failureThreshold: 2 }, 5200, 100, 2500)).toEqual({
    tries: [25, 75, 175, 1175, 2175, 3175, 4175, 5175],
    failures: [3175, 4175, 5175],
    marks: ["+175", "-4175", "!4175", "!5175"],
  });
});

test("failures count once a period, never sooner than upstream counts them", () => {
  const { failures, marks } = run("startup", { periodSeconds: 2, failureThreshold: 3 }, 9000);
  expect(failures).toEqual([2000, 4000, 6000, 8000]);
  expect(marks).toEqual(["!6000", "!8000"]);
});

test("initialDelaySeconds is waited out by all", () => {
  expect(run("readiness", { periodSeconds: 1, initialDelaySeconds: 3 }, 4000).tries).toEqual([3000, 3050, 3150, 3350, 3750, 4000]);
  expect(run("liveness", { periodSeconds: 1, initialDelaySeconds: 3 }, 5000).tries).toEqual([3000, 4000, 5000]);
});

test("liveness begins as passed, is not hurried, and gives up at its threshold", () => {
  expect(run("liveness", { periodSeconds: 1, failureThreshold: 2 }, 3500)).toEqual({
    tries: [1000, 2000, 3000],
    failures: [1000, 2000, 3000],
    marks: ["-2000", "!2000", "!3000"],
  });
});

test("successThreshold asks for that many in a row, a period apart", () => {
  expect(run("readiness", { periodSeconds: 1, successThreshold: 3 }, 4000, 20).marks).toEqual(["+2025"]);
});
