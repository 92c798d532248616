import { describe, expect, test } from "vitest";
import type { Lease, Node, Pod } from "../../api/types.ts";
import { replicaPod } from "../testing.ts";
import { afterAbsence, hear, silentIn } from "./health.ts";
import { planNode } from "./reconcile.ts";

const now = Date.parse("2026-01-01T01:00:00Z");

function node(ready: string | undefined, more: Partial<Node> = {}, beat = "2026-01-01T00:59:00Z"): Node {
  const conditions =
    ready === undefined
      ? []
      : [{ type: "Ready", status: ready, reason: "KubeletReady", lastHeartbeatTime: beat, lastTransitionTime: "2026-01-01T00:00:00Z" }];
  return { metadata: { name: "n", uid: "u" }, status: { conditions }, ...more };
}

const lease = (renewTime: string): Lease => ({ metadata: { name: "n" }, spec: { renewTime } });
const shown = (object: { readonly taints: ReturnType<typeof planNode>["taints"] }) =>
  object.taints?.map(({ key, effect }) => `${key}:${effect}`);
const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name);

describe("heard from", () => {
  const first = hear(undefined, node("True"), lease("a"), 1000);

  test("any news is a sign of life", () => {
    expect(hear(first, node("True"), lease("a"), 5000)).toBe(first);
    expect(hear(first, node("True"), lease("b"), 5000).at).toBe(5000);
    expect(hear(first, node("True", {}, "2026-01-01T00:59:30Z"), lease("a"), 5000).at).toBe(5000);
  });

  test("silence is counted from when it was noticed, whatever the times in it say", () => {
    const ancient = hear(undefined, node("True", {}, "1999-01-01T00:00:00Z"), lease("1999-01-01T00:00:00Z"), 1000);
    expect(silentIn(ancient, 50_000, 1000)).toBe(50_000);
    expect(silentIn(ancient, 50_000, 51_000)).toBe(0);
  });
});

test("who was asleep itself begins to listen anew", () => {
  const heard = { sign: "x", at: 1000 };
  expect(afterAbsence(heard, 50_000, 52_000)).toBe(heard);
  expect(afterAbsence(heard, 50_000, 8 * 3_600_000)).toEqual({ sign: "x", at: 8 * 3_600_000 });
});

describe("conditions", () => {
  test("of a silent node nothing is known", () => {
    const plan = planNode(node("True"), true, [], now);
    expect(plan.conditions?.map(({ type, status, reason }) => `${type}=${status}:${reason}`)).toEqual([
      "Ready=Unknown:NodeStatusUnknown",
      "MemoryPressure=Unknown:NodeStatusNeverUpdated",
      "DiskPressure=Unknown:NodeStatusNeverUpdated",
      "PIDPressure=Unknown:NodeStatusNeverUpdated",
    ]);
    expect(plan.conditions?.[0]).toMatchObject({ lastHeartbeatTime: "2026-01-01T00:59:00Z", lastTransitionTime: "2026-01-01T01:00:00Z" });
    expect(plan.lost).toBe(true);
    const written = { ...node("True"), status: { conditions: plan.conditions ?? [] } };
    expect(planNode(written, true, [], now).conditions).toBeUndefined();
  });

  test("of one that is heard from they are its own", () => {
    expect(planNode(node("False"), false, [], now).conditions).toBeUndefined();
  });
});

describe("taints", () => {
  const taint = { key: "gpu", effect: "NoSchedule" };
  test.each<readonly [string, Node, boolean, readonly string[] | undefined]>([
    ["a node that is well", node("True"), false, undefined],
    [
      "one that says that it is not",
      node("False"),
      false,
      ["node.kubernetes.io/not-ready:NoSchedule", "node.kubernetes.io/not-ready:NoExecute"],
    ],
    ["one that is silent", node("True"), true, ["node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"]],
    ["a cordoned one", node("True", { spec: { unschedulable: true } }), false, ["node.kubernetes.io/unschedulable:NoSchedule"]],
    [
      "one that is well again",
      node("True", { spec: { taints: [taint, { key: "node.kubernetes.io/unreachable", effect: "NoExecute" }] } }),
      false,
      ["gpu:NoSchedule"],
    ],
    ["others' taints stay", node("True", { spec: { taints: [taint] } }), false, undefined],
  ])("%s", (_, object, silent, wanted) => {
    expect(shown(planNode(object, silent, [], now))).toEqual(wanted);
  });
});

test("pods of a node that is away do not serve", () => {
  const pods = [replicaPod("a"), replicaPod("b", { ready: false }), replicaPod("c", { terminating: true })];
  expect(names(planNode(node("True"), true, pods, now).markNotReady)).toEqual(["a"]);
  expect(names(planNode(node("Unknown"), false, pods, now).markNotReady)).toEqual(["a"]);
  expect(planNode(node("True"), false, pods, now).markNotReady).toEqual([]);
  expect(planNode(node(undefined), false, pods, now).markNotReady).toEqual([]);
});
