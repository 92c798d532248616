/** Objects for tests of workload controllers: the least that makes one. */
import type { Deployment, Pod, PodTemplateSpec, ReplicaSet } from "../api/types.ts";

export const webTemplate = (version = "1"): PodTemplateSpec => ({
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "app", image: `web:${version}` }] },
});

export function testDeployment(
  spec: Partial<NonNullable<Deployment["spec"]>> = {},
  metadata: Partial<Deployment["metadata"]> = {},
): Deployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default", uid: "uid-web", generation: 1, ...metadata },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: "web" } },
      template: webTemplate(),
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      ...spec,
    },
  };
}

export function testReplicaSet(
  replicas: number,
  status: Partial<NonNullable<ReplicaSet["status"]>> = {},
  metadata: Partial<ReplicaSet["metadata"]> = {},
): ReplicaSet {
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "web", namespace: "default", uid: "uid-rs", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z", ...metadata },
    spec: { replicas, selector: { matchLabels: { app: "web" } }, template: webTemplate() },
    status: { replicas: 0, observedGeneration: 1, ...status },
  };
}

export interface ReplicaFacts {
  readonly ready?: boolean;
  readonly readySince?: string;
  readonly terminating?: boolean;
  readonly phase?: string;
  readonly node?: string;
  readonly restarts?: number;
  readonly created?: string;
  readonly owner?: string | undefined;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A pod held by `uid-rs` unless `owner` says otherwise. */
export function replicaPod(name: string, facts: ReplicaFacts = {}): Pod {
  const owner = "owner" in facts ? facts.owner : "uid-rs";
  const { node = "node-1", ready = true, readySince = "2026-01-01T00:00:00Z" } = facts;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "default",
      uid: `uid-${name}`,
      labels: facts.labels ?? { app: "web" },
      creationTimestamp: facts.created ?? "2026-01-01T00:00:00Z",
      ...(facts.annotations === undefined ? {} : { annotations: facts.annotations }),
      ...(facts.terminating ? { deletionTimestamp: "2026-01-01T00:10:00Z" } : {}),
      ...(owner === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: owner, controller: true }] }),
    },
    spec: { containers: [], ...(node === "" ? {} : { nodeName: node }) },
    status: {
      phase: facts.phase ?? "Running",
      conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: readySince }],
      containerStatuses: [{ name: "app", image: "web:1", imageID: "", ready, restartCount: facts.restarts ?? 0 }],
    },
  };
}
