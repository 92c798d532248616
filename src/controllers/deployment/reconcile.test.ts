import { describe, expect, test } from "vitest";
import type { Deployment, DeploymentStatus, ReplicaSet } from "../../api/types.ts";
import { testDeployment, webTemplate } from "../testing.ts";
import { planDeployment, type DeploymentPlan } from "./reconcile.ts";
import { revisionAnnotation, revisionHistoryAnnotation } from "./revisions.ts";
import { canonicalJson, podTemplateHash } from "../template-hash.ts";
import { desiredAnnotation, maxAnnotation } from "./work.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const noPods = () => [];
const plan = (deployment: Deployment, sets: readonly ReplicaSet[] = [], at = now) => planDeployment(deployment, sets, noPods, at);
const kinds = ({ writes }: DeploymentPlan) => writes.map(({ kind }) => kind);
const sizes = ({ writes }: DeploymentPlan) =>
  writes.flatMap((write) =>
    "replicaSet" in write
      ? [`${write.kind === "deleteReplicaSet" ? "delete " : ""}${write.replicaSet.metadata.name}=${write.replicaSet.spec?.replicas}`]
      : [],
  );
const condition = ({ status }: { status: DeploymentStatus }, type: string) => {
  const found = status.conditions?.find((each) => each.type === type);
  return found === undefined ? undefined : `${found.status} ${found.reason}`;
};

interface SetFacts {
  readonly available?: number;
  readonly revision?: number;
  readonly desired?: number;
  readonly max?: number;
  readonly created?: number;
  readonly pods?: number;
}

/** A set of the template `version`, as a settled cluster has it. */
function setOf(version: string, replicas: number, facts: SetFacts = {}): ReplicaSet {
  const pods = facts.pods ?? replicas;
  const template = webTemplate(version);
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `web-${version}`,
      namespace: "default",
      uid: `uid-${version}`,
      generation: 1,
      creationTimestamp: new Date(now + (facts.created ?? 0)).toISOString(),
      annotations: {
        [revisionAnnotation]: String(facts.revision ?? 1),
        [desiredAnnotation]: String(facts.desired ?? 3),
        [maxAnnotation]: String(facts.max ?? 4),
      },
    },
    spec: { replicas, selector: {}, template: { ...template, metadata: { labels: { app: "web", "pod-template-hash": "x" } } } },
    status: { replicas: pods, readyReplicas: facts.available ?? pods, availableReplicas: facts.available ?? pods, observedGeneration: 1 },
  };
}

const settled = (deployment: Deployment): Deployment => ({
  ...deployment,
  metadata: { ...deployment.metadata, annotations: { ...deployment.metadata.annotations, [revisionAnnotation]: "1" } },
  status: {
    replicas: 3,
    updatedReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    conditions: [{ type: "Progressing", status: "True", reason: "NewReplicaSetAvailable", lastUpdateTime: "2026-01-01T00:00:00Z" }],
  },
});

describe("the first pass", () => {
  const result = plan(testDeployment({}, { annotations: { team: "a", "kubectl.kubernetes.io/last-applied-configuration": "{}" } }));
  test("makes a set at full size, with revision 1", () => {
    expect(kinds(result)).toEqual(["createReplicaSet", "setRevision"]);
    const [write] = result.writes;
    if (write?.kind !== "createReplicaSet") throw new Error("no set is made");
    const { metadata, spec } = write.replicaSet;
    const hash = podTemplateHash(webTemplate(), 0);
    expect(metadata.name).toBe(`web-${hash}`);
    expect(metadata.annotations).toEqual({ team: "a", [revisionAnnotation]: "1", [desiredAnnotation]: "3", [maxAnnotation]: "4" });
    expect(metadata.ownerReferences).toMatchObject([
      { kind: "Deployment", name: "web", uid: "uid-web", controller: true, blockOwnerDeletion: true },
    ]);
    expect(spec?.selector).toEqual({ matchLabels: { app: "web", "pod-template-hash": hash } });
    expect(spec?.template?.metadata?.labels).toEqual({ app: "web", "pod-template-hash": hash });
    expect(spec?.replicas).toBe(3);
    expect(result.events).toEqual([
      { type: "Normal", reason: "ScalingReplicaSet", message: `Scaled up replica set web-${hash} from 0 to 3` },
    ]);
  });
  test("says so in the status", () => {
    expect(condition(result, "Progressing")).toBe("True NewReplicaSetCreated");
    expect(condition(result, "Available")).toBe("False MinimumReplicasUnavailable");
    expect(result.againIn).toBe(601_000);
  });
});

describe("a rolling update of 10 with 3 more and 2 fewer", () => {
  const deployment = testDeployment({
    replicas: 10,
    template: webTemplate("2"),
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
  });
  const facts = { desired: 10, max: 13 };
  test.each([
    [
      "a new set as far as the surge allows, and at once as many old pods fewer as may miss",
      [setOf("1", 10, facts)],
      ["web-new=3", "web-1=8"],
    ],
    ["nothing while the new ones come up", [setOf("1", 8, facts), setOf("2", 5, { ...facts, available: 0, revision: 2, created: 1 })], []],
    ["up first", [setOf("1", 8, facts), setOf("2", 3, { ...facts, revision: 2, created: 1 })], ["web-2=5"]],
    [
      "down as soon as new ones are available",
      [setOf("1", 8, facts), setOf("2", 5, { ...facts, available: 3, revision: 2, created: 1 })],
      ["web-1=5"],
    ],
    [
      "old pods that do not serve go first",
      [setOf("0", 2, { ...facts, available: 0 }), setOf("1", 8, facts), setOf("2", 3, { ...facts, available: 0, revision: 2, created: 1 })],
      ["web-0=0"],
    ],
    ["the last ones", [setOf("1", 2, facts), setOf("2", 10, { ...facts, revision: 2, created: 1 })], ["web-1=0"]],
  ] as const)("%s", (_, sets, wanted) => {
    const result = plan(deployment, sets);
    expect(sizes(result).map((text) => text.replace(/web-[a-z]*[a-z0-9]{5,}=/, "web-new="))).toEqual(wanted);
  });
});

describe("scaling", () => {
  test("one active set takes it whole", () => {
    expect(sizes(plan(settled(testDeployment({ replicas: 5 })), [setOf("1", 3)]))).toEqual(["web-1=5"]);
    expect(sizes(plan(settled(testDeployment({ replicas: 0 })), [setOf("1", 3)]))).toEqual(["web-1=0"]);
  });

  test("in the middle of a rollout all take their share", () => {
    const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } };
    const deployment = settled(testDeployment({ replicas: 15, template: webTemplate("2"), strategy }));
    const result = plan(deployment, [
      setOf("1", 8, { desired: 10, max: 13 }),
      setOf("2", 5, { desired: 10, max: 13, revision: 2, created: 1 }),
    ]);
    expect(sizes(result)).toEqual(["web-1=11", "web-2=7"]);
  });

  test("a newest set that serves already leaves the old ones nothing", () => {
    const deployment = testDeployment({ replicas: 3, template: webTemplate("2"), paused: true });
    const result = plan(deployment, [setOf("1", 2), setOf("2", 3, { revision: 2, created: 1 })]);
    expect(sizes(result)).toEqual(["web-1=0"]);
  });
});

describe("paused", () => {
  const paused = testDeployment({ paused: true, template: webTemplate("2") });
  test("no new set is made", () => {
    const result = plan(settled(paused), [setOf("1", 3)]);
    expect(sizes(result)).toEqual([]);
    expect(condition(result, "Progressing")).toBe("Unknown DeploymentPaused");
  });
  test("resumed, it goes on", () => {
    const status = { conditions: [{ type: "Progressing", status: "Unknown", reason: "DeploymentPaused" }] };
    const result = plan({ ...testDeployment({ template: webTemplate("2") }), status }, [setOf("1", 3)]);
    expect(kinds(result)).toContain("createReplicaSet");
  });
});

describe("recreate", () => {
  const deployment = testDeployment({ strategy: { type: "Recreate" }, template: webTemplate("2") });
  test("first all old pods go", () => expect(sizes(plan(deployment, [setOf("1", 3, { max: 3 })]))).toEqual(["web-1=0"]));
  test("nothing new while one of them is there", () => expect(sizes(plan(deployment, [setOf("1", 0, { max: 3, pods: 1 })]))).toEqual([]));
  test("nor while one is terminating", () => {
    const pods = () => [{ metadata: { name: "old" }, status: { phase: "Running" } }];
    expect(planDeployment(deployment, [setOf("1", 0, { max: 3 })], pods, now).writes).toEqual([]);
  });
  test("then the new set at full size", () => {
    const result = plan(deployment, [setOf("1", 0, { max: 3 })]);
    expect(kinds(result)).toEqual(["createReplicaSet", "setRevision"]);
    expect(sizes(result)[0]).toMatch(/=3$/);
  });
});

describe("revisions", () => {
  test("rolling back takes the old set again, with the highest revision and its history", () => {
    const result = plan(testDeployment({ template: webTemplate("1") }), [
      setOf("1", 0, { revision: 1 }),
      setOf("2", 3, { revision: 2, created: 1 }),
    ]);
    const update = result.writes.find((write) => write.kind === "updateReplicaSet" && write.replicaSet.metadata.name === "web-1");
    if (update?.kind !== "updateReplicaSet") throw new Error("not updated");
    expect(update.replicaSet.metadata.annotations).toMatchObject({ [revisionAnnotation]: "3", [revisionHistoryAnnotation]: "1" });
    expect(result.writes.at(-1)?.kind === "setRevision" || result.writes.some(({ kind }) => kind === "setRevision")).toBe(true);
  });

  test("old empty sets beyond the limit go once the rollout is complete, the oldest revision first", () => {
    const deployment = settled(testDeployment({ template: webTemplate("4"), revisionHistoryLimit: 1 }));
    const sets = [
      setOf("1", 0, { revision: 1 }),
      setOf("2", 0, { revision: 2 }),
      setOf("3", 0, { revision: 3 }),
      setOf("4", 3, { revision: 4, created: 1 }),
    ];
    expect(sizes(plan(deployment, sets))).toEqual(["delete web-1=0", "delete web-2=0"]);
  });

  test("the hash does not depend on the order of fields, and leads out of a clash", () => {
    expect(canonicalJson({ b: [1, { d: 1, c: undefined }], a: "x" })).toBe('{"a":"x","b":[1,{"d":1}]}');
    expect(podTemplateHash({ metadata: {}, spec: { containers: [] } }, 0)).toBe(
      podTemplateHash({ spec: { containers: [] }, metadata: {} }, 0),
    );
    expect(podTemplateHash(webTemplate(), 0)).not.toBe(podTemplateHash(webTemplate(), 1));
    expect(podTemplateHash(webTemplate(), 0)).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{5,10}$/);
  });
});

describe("status", () => {
  test("complete", () => {
    const result = plan(testDeployment(), [setOf("1", 3)]);
    expect(result.status).toMatchObject({ observedGeneration: 1, replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 });
    expect([condition(result, "Progressing"), condition(result, "Available"), result.againIn]).toEqual([
      "True NewReplicaSetAvailable",
      "True MinimumReplicasAvailable",
      undefined,
    ]);
    expect(plan({ ...testDeployment(), status: result.status }, [setOf("1", 3)], now + 5000).status).toEqual(result.status);
  });

  test("stuck beyond the deadline", () => {
    const before = plan(testDeployment(), [setOf("1", 3, { available: 0 })]);
    const stuck = { ...testDeployment(), status: before.status };
    expect(condition(plan(stuck, [setOf("1", 3, { available: 0 })], now + 599_000), "Progressing")).toBe("True ReplicaSetUpdated");
    const late = plan(stuck, [setOf("1", 3, { available: 0 })], now + 601_000);
    expect(condition(late, "Progressing")).toBe("False ProgressDeadlineExceeded");
    expect(late.againIn).toBeUndefined();
  });

  test("pods that cannot be made", () => {
    const set = setOf("1", 3, { available: 0, pods: 0 });
    const failing = {
      ...set,
      status: { replicas: 0, conditions: [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "quota" }] },
    };
    expect(condition(plan(testDeployment(), [failing]), "ReplicaFailure")).toBe("True FailedCreate");
  });

  test("a selector that takes everything is refused", () => {
    const result = plan(testDeployment({ selector: {} }));
    expect([result.writes, result.events[0]?.reason, result.status.observedGeneration]).toEqual([[], "SelectingAll", 1]);
  });
});
