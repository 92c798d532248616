import { describe, expect, test } from "vitest";
import type { Pod, ReplicaSet } from "../../api/types.ts";
import { replicaPod, testReplicaSet, type ReplicaFacts } from "../testing.ts";
import { choosePodsToDelete, deletionCostAnnotation } from "./rank.ts";
import { podFromTemplate } from "../pod-control.ts";
import { nextAvailable } from "../counts.ts";
import { planReplicaSet, replicaSetStatus } from "./reconcile.ts";
import { replicationControllerKind } from "./replicated.ts";

const now = Date.parse("2026-01-01T01:00:00Z");
const plan = (set: ReplicaSet, pods: readonly Pod[]) =>
  planReplicaSet(
    set,
    pods,
    () => pods,
    now,
    () => 0.5,
  );
const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name);

describe("how many pods", () => {
  test.each([
    ["too few", 3, [replicaPod("a")], 2, []],
    ["enough", 1, [replicaPod("a")], 0, []],
    ["too many: the one that is not ready goes", 1, [replicaPod("a"), replicaPod("b", { ready: false })], 0, ["b"]],
    ["a terminating pod does not count", 1, [replicaPod("a", { terminating: true })], 1, []],
    ["nor a finished one", 1, [replicaPod("a", { phase: "Failed" })], 1, []],
    ["another's pod does not count", 1, [replicaPod("a", { owner: "other" })], 1, []],
    ["no more than 500 at once", 900, [], 500, []],
  ] as const)("%s", (_, replicas, pods, create, remove) => {
    const result = plan(testReplicaSet(replicas), pods);
    expect([result.create, names(result.remove)]).toEqual([create, remove]);
  });

  test("orphans that match are adopted and count; pods that match no more are released", () => {
    const result = plan(testReplicaSet(2), [
      replicaPod("orphan", { owner: undefined }),
      replicaPod("stranger", { owner: undefined, labels: { app: "x" } }),
      replicaPod("relabeled", { labels: { app: "x" } }),
    ]);
    expect(names(result.adopt)).toEqual(["orphan"]);
    expect(names(result.release)).toEqual(["relabeled"]);
    expect(result.create).toBe(1);
  });

  test("a set that is being deleted does nothing", () => {
    const set = testReplicaSet(3, {}, { deletionTimestamp: "2026-01-01T00:59:00Z" });
    expect(plan(set, [replicaPod("orphan", { owner: undefined })])).toMatchObject({ create: 0, adopt: [], remove: [] });
  });
});

describe("who goes first", () => {
  const cases: readonly (readonly [string, ReplicaFacts, ReplicaFacts])[] = [
    ["one without a node", { node: "" }, { ready: false }],
    ["one that is pending", { phase: "Pending", ready: false }, { ready: false }],
    ["one that is not ready", { ready: false }, {}],
    ["the cheaper one", { annotations: { [deletionCostAnnotation]: "-5" } }, { annotations: { [deletionCostAnnotation]: "bad" } }],
    ["one on the fuller node", { node: "full" }, { node: "node-1" }],
    ["the one ready for a shorter time", { readySince: "2026-01-01T00:59:00Z" }, { readySince: "2026-01-01T00:00:00Z" }],
    ["the one restarted more often", { restarts: 3 }, { restarts: 1 }],
    ["the younger one", { created: "2026-01-01T00:59:59Z" }, { created: "2026-01-01T00:00:00Z" }],
  ];
  test.each(cases)("%s", (_, first, second) => {
    const pods = [replicaPod("second", second), replicaPod("first", first)];
    const related = [...pods, replicaPod("x", { node: "full" }), replicaPod("y", { node: "full" })];
    expect(names(choosePodsToDelete(pods, related, 1, now, () => 0.5))).toEqual(["first"]);
  });

  test("equals: the lot decides", () => {
    const lots = [0.9, 0.1, 0.5];
    const pods = [replicaPod("a"), replicaPod("b"), replicaPod("c")];
    expect(names(choosePodsToDelete(pods, pods, 2, now, () => lots.shift() as number))).toEqual(["b", "c"]);
  });
});

describe("status", () => {
  const pods = [
    replicaPod("a"),
    replicaPod("b", { ready: false }),
    replicaPod("c", { readySince: "2026-01-01T00:59:55Z" }),
    replicaPod("d", { terminating: true }),
  ];
  const base = testReplicaSet(3);
  const set: ReplicaSet = { ...base, spec: { ...base.spec, minReadySeconds: 10 } as NonNullable<ReplicaSet["spec"]> };

  test("counts", () => {
    expect(replicaSetStatus(set, plan(set, pods), undefined, now)).toEqual({
      replicas: 3,
      fullyLabeledReplicas: 3,
      readyReplicas: 2,
      availableReplicas: 1,
      terminatingReplicas: 1,
      observedGeneration: 1,
    });
    expect(nextAvailable(10, plan(set, pods).active, now)).toBe(5000);
  });

  test("a failure is a condition, and is gone with its cause", () => {
    const failed = replicaSetStatus(set, plan(set, pods), { reason: "FailedCreate", message: "no" }, now);
    expect(failed.conditions).toEqual([
      { type: "ReplicaFailure", status: "True", lastTransitionTime: "2026-01-01T01:00:00Z", reason: "FailedCreate", message: "no" },
    ]);
    const later = replicaSetStatus(
      { ...set, status: failed },
      plan(set, pods),
      { reason: "FailedCreate", message: "no, again" },
      now + 60_000,
    );
    expect(later.conditions).toEqual(failed.conditions);
    expect(replicaSetStatus({ ...set, status: failed }, plan(set, pods), undefined, now).conditions).toBeUndefined();
  });
});

test("a pod is made from the template and belongs to the set", () => {
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "uid-rs", controller: true, blockOwnerDeletion: true };
  expect(podFromTemplate(testReplicaSet(1), testReplicaSet(1).spec?.template, owner)).toEqual({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "web-", namespace: "default", labels: { app: "web" }, ownerReferences: [owner] },
    spec: { containers: [{ name: "app", image: "web:1" }] },
  });
});

test("a ReplicationController is seen as a ReplicaSet", () => {
  const template = { metadata: { labels: { app: "web" } }, spec: { containers: [] } };
  const set = replicationControllerKind.view({ metadata: { name: "web" }, spec: { replicas: 2, selector: { app: "web" }, template } });
  expect(set).toEqual({ metadata: { name: "web" }, spec: { replicas: 2, selector: { matchLabels: { app: "web" } }, template } });
  expect(replicationControllerKind.status({ replicas: 2, terminatingReplicas: 0 })).toEqual({ replicas: 2 });
});
