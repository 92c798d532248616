import { describe, expect, test } from "vitest";
import type { ControllerRevision, Pod, StatefulSet } from "../../api/types.ts";
import { webTemplate } from "../testing.ts";
import { claimOwners, retainedBy } from "./claim-retention.ts";
import { claimsOf, ordinalOf, podOf } from "./identity.ts";
import { planStatefulSet, type StatefulSetStep } from "./reconcile.ts";

const now = Date.parse("2026-01-01T01:00:00Z");

type Spec = NonNullable<StatefulSet["spec"]>;

function testSet(spec: Partial<Spec> = {}, status: StatefulSet["status"] = { replicas: 0 }): StatefulSet {
  return {
    metadata: { name: "web", namespace: "default", uid: "uid-web", generation: 1 },
    spec: { replicas: 3, selector: { matchLabels: { app: "web" } }, serviceName: "web", template: webTemplate(), ...spec },
    status,
  };
}

const revision = (name: string, version: string): ControllerRevision => ({
  metadata: { name },
  data: { spec: { template: { ...webTemplate(version), $patch: "replace" } } },
  revision: 1,
});
const [first, second] = [revision("web-a", "1"), revision("web-b", "2")];

type State = "ready" | "starting" | "going" | "failed" | "fresh";

/** `web-1`, of revision `web-a` unless said otherwise. */
function member(ordinal: number, state: State = "ready", of = first): Pod {
  const pod = podOf(testSet(), ordinal, of);
  const ready = state === "ready" || state === "fresh";
  const since = state === "fresh" ? "2026-01-01T00:59:55Z" : "2026-01-01T00:00:00Z";
  return {
    ...pod,
    metadata: { ...pod.metadata, uid: `uid-${ordinal}`, ...(state === "going" ? { deletionTimestamp: "2026-01-01T01:00:30Z" } : {}) },
    status: {
      phase: state === "failed" ? "Failed" : "Running",
      conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: since }],
    },
  };
}

const plan = (set: StatefulSet, pods: readonly Pod[], current = first, update = first) =>
  planStatefulSet({ set, pods, current, update, now });

/** `+web-0 -web-2 ~web-1`, with the revision of what is made. */
function steps(set: StatefulSet, pods: readonly Pod[], current = first, update = first): string {
  const sign: Readonly<Record<StatefulSetStep["kind"], string>> = { create: "+", delete: "-", mend: "~" };
  return plan(set, pods, current, update)
    .steps.map(
      ({ kind, pod }) =>
        `${sign[kind]}${pod.metadata.name}${kind === "create" ? `@${pod.metadata.labels?.["controller-revision-hash"]}` : ""}`,
    )
    .join(" ");
}

describe("in order", () => {
  test.each<readonly [string, Partial<Spec>, readonly Pod[], string]>([
    ["the first pod first", {}, [], "+web-0@web-a"],
    ["the next one when it is ready", {}, [member(0)], "+web-1@web-a"],
    ["not before", {}, [member(0, "starting")], ""],
    ["nor before it has been ready for long enough", { minReadySeconds: 10 }, [member(0, "fresh")], ""],
    ["one that is going is waited for", {}, [member(0, "going"), member(1)], ""],
    ["one that failed goes", {}, [member(0), member(1, "failed")], "-web-1"],
    ["a gap is filled from below", {}, [member(0), member(2)], "+web-1@web-a"],
    ["all are there", {}, [member(0), member(1), member(2)], ""],
    ["the highest goes first", { replicas: 1 }, [member(0), member(1), member(2)], "-web-2"],
    ["one after the other", { replicas: 1 }, [member(0), member(1), member(2, "going")], ""],
    ["a sick one does not stop its own removal", { replicas: 1 }, [member(0), member(1, "starting")], "-web-1"],
    ["but that of those above it", { replicas: 1 }, [member(0), member(1, "starting"), member(2, "starting")], ""],
    ["nothing goes while one that stays is sick", { replicas: 1 }, [member(0, "starting"), member(1)], ""],
    ["from another first ordinal", { ordinals: { start: 5 }, replicas: 2 }, [member(5)], "+web-6@web-a"],
    ["what is below the first ordinal goes", { ordinals: { start: 1 }, replicas: 1 }, [member(0), member(1)], "-web-0"],
    ["strange names do not count", { replicas: 0 }, [{ ...member(0), metadata: { ...member(0).metadata, name: "web-00" } }], ""],
  ])("%s", (_, spec, pods, wanted) => {
    expect(steps(testSet(spec), pods)).toBe(wanted);
  });
});

test("in parallel, all at once", () => {
  const parallel = { podManagementPolicy: "Parallel" };
  expect(steps(testSet(parallel), [member(1, "starting")])).toBe("+web-0@web-a +web-2@web-a");
  expect(steps(testSet({ ...parallel, replicas: 1 }), [member(0, "starting"), member(1), member(2)])).toBe("-web-2 -web-1");
});

describe("an update", () => {
  const updated = (ordinal: number, state: State = "ready") => member(ordinal, state, second);
  const rolling = (rollingUpdate: object, more: Partial<Spec> = {}) => ({
    updateStrategy: { type: "RollingUpdate", rollingUpdate },
    ...more,
  });
  const parallel = { podManagementPolicy: "Parallel" };

  test.each<readonly [string, Partial<Spec>, readonly Pod[], string]>([
    ["goes from the top", {}, [member(0), member(1), member(2)], "-web-2"],
    ["makes the pod anew", {}, [member(0), member(1)], "+web-2@web-b"],
    ["waits for it", {}, [member(0), member(1), updated(2, "starting")], ""],
    ["goes on downwards", {}, [member(0), member(1), updated(2)], "-web-1"],
    ["ends", {}, [updated(0), updated(1), updated(2)], ""],
    ["stops at the partition", rolling({ partition: 2 }), [member(0), member(1), updated(2)], ""],
    ["below it a pod is made as it was", rolling({ partition: 2 }), [member(0)], "+web-1@web-a"],
    ["OnDelete leaves them", { updateStrategy: { type: "OnDelete" } }, [member(0), member(1), member(2)], ""],
    ["OnDelete: who is deleted comes back new", { updateStrategy: { type: "OnDelete" } }, [member(0), member(1)], "+web-2@web-b"],
    ["two at once", rolling({ maxUnavailable: 2 }, parallel), [member(0), member(1), member(2)], "-web-2 -web-1"],
    ["as many as may be away", rolling({ maxUnavailable: 2 }, parallel), [member(0), member(1), updated(2, "starting")], "-web-1"],
    ["at least one, by share", rolling({ maxUnavailable: "10%" }), [member(0), member(1), member(2)], "-web-2"],
    [
      "one that does not serve anyway costs nothing",
      rolling({ maxUnavailable: 2 }, parallel),
      [member(0), member(1, "starting"), member(2)],
      "-web-1 -web-2",
    ],
  ])("%s", (_, spec, pods, wanted) => {
    expect(steps(testSet(spec), pods, first, second)).toBe(wanted);
  });

  test("shows in the status, and its revision becomes the current one", () => {
    expect(plan(testSet(), [member(0), member(1), updated(2, "starting")], first, second).status).toEqual({
      observedGeneration: 1,
      replicas: 3,
      readyReplicas: 2,
      availableReplicas: 2,
      currentReplicas: 2,
      updatedReplicas: 1,
      currentRevision: "web-a",
      updateRevision: "web-b",
      collisionCount: 0,
    });
    expect(plan(testSet(), [updated(0), updated(1), updated(2)], first, second).status).toMatchObject({
      currentRevision: "web-b",
      currentReplicas: 3,
      updatedReplicas: 3,
    });
  });
});

test("a set that is being deleted makes nothing", () => {
  const set = testSet();
  expect(steps({ ...set, metadata: { ...set.metadata, deletionTimestamp: "2026-01-01T00:59:00Z" } }, [])).toBe("");
});

test("a pod that was relabeled gets its name back", () => {
  const strange = member(0);
  const labels = { ...strange.metadata.labels, "statefulset.kubernetes.io/pod-name": "other" };
  const { steps: mends } = plan(testSet({ replicas: 1 }), [{ ...strange, metadata: { ...strange.metadata, labels } }]);
  expect(mends).toMatchObject([{ kind: "mend", pod: { metadata: { labels: { "statefulset.kubernetes.io/pod-name": "web-0" } } } }]);
});

describe("who a pod is", () => {
  const claim = {
    metadata: { name: "data", labels: { tier: "db" } },
    spec: { accessModes: ["ReadWriteOnce"] },
    status: { phase: "Pending" },
  };
  const set = testSet({ volumeClaimTemplates: [claim] });

  test("name, host name, labels and volumes", () => {
    expect(podOf(set, 2, second)).toEqual({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "web-2",
        namespace: "default",
        labels: {
          app: "web",
          "controller-revision-hash": "web-b",
          "statefulset.kubernetes.io/pod-name": "web-2",
          "apps.kubernetes.io/pod-index": "2",
        },
        ownerReferences: [
          { apiVersion: "apps/v1", kind: "StatefulSet", name: "web", uid: "uid-web", controller: true, blockOwnerDeletion: true },
        ],
      },
      spec: {
        containers: [{ name: "app", image: "web:2" }],
        hostname: "web-2",
        subdomain: "web",
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data-web-2" } }],
      },
    });
  });

  test("its claims", () => {
    expect(claimsOf(set, 2)).toEqual([
      {
        metadata: { name: "data-web-2", namespace: "default", labels: { tier: "db", app: "web" } },
        spec: { accessModes: ["ReadWriteOnce"] },
      },
    ]);
  });

  test.each([
    ["web-0", 0],
    ["web-12", 12],
    ["web-01", undefined],
    ["web-", undefined],
    ["webs-1", undefined],
    ["web-1-x", undefined],
  ])("%s is number %s", (name, ordinal) => {
    expect(ordinalOf(set, { metadata: { name } })).toBe(ordinal);
  });

  test.each([
    ["Retain", "Retain", [undefined, undefined]],
    ["Delete", "Retain", ["StatefulSet", "StatefulSet"]],
    ["Retain", "Delete", [undefined, "Pod"]],
    ["Delete", "Delete", ["StatefulSet", "Pod"]],
  ])("claims when deleted %s, when scaled %s", (whenDeleted, whenScaled, kinds) => {
    const scaled = testSet({
      replicas: 1,
      volumeClaimTemplates: [claim],
      persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled },
    });
    const owners = claimOwners(scaled, [member(0), member(1)]);
    expect(owners.map(({ owner }) => owner?.kind)).toEqual(kinds);
    const held = { metadata: { name: "data-web-0", ownerReferences: [{ apiVersion: "x/v1", kind: "Keeper", name: "k", uid: "k" }] } };
    const refs = retainedBy(scaled, held, owners[0]?.owner);
    expect(refs?.map(({ kind }) => kind)).toEqual(kinds[0] === undefined ? undefined : ["Keeper", kinds[0]]);
  });
});
