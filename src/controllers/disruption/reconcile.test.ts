import { describe, expect, test } from "vitest";
import type { Pod, PodDisruptionBudget } from "../../api/types.ts";
import { replicaPod } from "../testing.ts";
import { planBudget, type Scale } from "./reconcile.ts";

const now = Date.parse("2026-01-01T01:00:00Z");

const budget = (spec: PodDisruptionBudget["spec"], status: PodDisruptionBudget["status"] = {}): PodDisruptionBudget => ({
  metadata: { name: "web", namespace: "default", generation: 2 },
  spec,
  status,
});
const [a, b, c] = ["a", "b", "c"].map((name) => replicaPod(name)) as [Pod, Pod, Pod];
const sick = replicaPod("c", { ready: false });
const going = replicaPod("c", { terminating: true });
const known = (replicas: number): Scale => ({ kind: "known", replicas });

describe("what is allowed", () => {
  test.each<readonly [string, PodDisruptionBudget["spec"], readonly Pod[], number, number, number]>([
    ["all but two", { minAvailable: 2 }, [a, b, c], 3, 2, 1],
    ["half, rounded up", { minAvailable: "50%" }, [a, b, c], 3, 2, 1],
    ["one away", { maxUnavailable: 1 }, [a, b, c], 3, 2, 1],
    ["half away, rounded up", { maxUnavailable: "50%" }, [a, b, c], 3, 1, 2],
    ["one is sick already", { maxUnavailable: 1 }, [a, b, sick], 3, 2, 0],
    ["one is going already", { maxUnavailable: 1 }, [a, b, going], 3, 2, 0],
    ["more are wanted than there are", { maxUnavailable: 1 }, [a, b], 3, 2, 0],
    ["all must stay", { minAvailable: "100%" }, [a, b, c], 3, 3, 0],
    ["nothing is said", {}, [a, b, c], 3, 0, 3],
    ["no pods", { minAvailable: 0 }, [], 0, 0, 0],
  ])("%s", (_, spec, pods, replicas, desired, allowed) => {
    const { status } = planBudget(budget(spec), pods, () => known(replicas), now);
    expect(status).toMatchObject({ desiredHealthy: desired, disruptionsAllowed: allowed, observedGeneration: 2 });
    expect(status.conditions?.[0]?.reason).toBe(allowed > 0 ? "SufficientPods" : "InsufficientPods");
  });
});

test("a number of pods needs no controller, a share of them does", () => {
  const unknown = (): Scale => ({ kind: "unknown", message: "found no controllers" });
  expect(planBudget(budget({ minAvailable: 1 }), [a, b], unknown, now).status.disruptionsAllowed).toBe(1);
  const failed = planBudget(budget({ maxUnavailable: 1 }, { disruptionsAllowed: 4, expectedPods: 3 }), [a, b], unknown, now);
  expect(failed.status).toMatchObject({ disruptionsAllowed: 0, expectedPods: 3, conditions: [{ status: "False", reason: "SyncFailed" }] });
  expect(failed.event?.reason).toBe("CalculateExpectedPodCountFailed");
});

test("an eviction that was granted counts until the pod goes, or two minutes are over", () => {
  const at = (time: string) => budget({ minAvailable: 1 }, { disruptedPods: { a: time, gone: time } });
  const fresh = planBudget(at("2026-01-01T00:59:00Z"), [a, b], () => known(2), now);
  expect(fresh).toMatchObject({ status: { currentHealthy: 1, disruptedPods: { a: "2026-01-01T00:59:00Z" } }, againIn: 60_000 });
  const over = planBudget(at("2026-01-01T00:58:00Z"), [a, b], () => known(2), now);
  expect(over.status).not.toHaveProperty("disruptedPods");
  expect(over.status.currentHealthy).toBe(2);
});

test("the condition keeps its time while it stays", () => {
  const first = planBudget(budget({ minAvailable: 1 }), [a, b], () => known(2), now - 60_000).status;
  const second = planBudget(budget({ minAvailable: 1 }, first), [a, b, c], () => known(3), now).status;
  expect(second.conditions?.[0]?.lastTransitionTime).toBe("2026-01-01T00:59:00Z");
});
