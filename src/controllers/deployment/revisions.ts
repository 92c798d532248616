/** Which ReplicaSet is of the Deployment's template, its revision, and which old ones may go (upstream `sync.go`). */
import { deployments, replicaSets } from "../../api/resources.ts";
import type { Deployment, LabelSelector, PodTemplateSpec, ReplicaSet } from "../../api/types.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { controllerReference } from "../claim.ts";
import { desiredReplicas, isRollingUpdate, maxSurge } from "./limits.ts";
import { podTemplateHash, podTemplateHashLabel } from "../template-hash.ts";
import {
  desiredAnnotation,
  findCondition,
  maxAnnotation,
  replace,
  replicasOf,
  scalingEvent,
  sizeAnnotations,
  sum,
  withCondition,
  type Work,
} from "./work.ts";

export const revisionAnnotation = "deployment.kubernetes.io/revision";
export const revisionHistoryAnnotation = "deployment.kubernetes.io/revision-history";

const notCopied = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredAnnotation,
  maxAnnotation,
]);

/** Equal templates; the hash label that a set's template carries does not count. */
export function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return semanticEqual(withoutHash(a), withoutHash(b));
}

function withoutHash(template: PodTemplateSpec | undefined): PodTemplateSpec | undefined {
  if (template?.metadata?.labels?.[podTemplateHashLabel] === undefined) return template;
  const { [podTemplateHashLabel]: _, ...labels } = template.metadata.labels;
  return { ...template, metadata: { ...template.metadata, labels } };
}

export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  return (
    compare(a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? "") || compare(a.metadata.name ?? "", b.metadata.name ?? "")
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The oldest of equal ones, so that every pass takes the same. */
export function findNewest(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return [...sets].sort(byAge).find((set) => sameTemplate(set.spec?.template, deployment.spec?.template));
}

export function revisionOf(set: ReplicaSet): number {
  const text = set.metadata.annotations?.[revisionAnnotation] ?? "";
  return /^\d+$/.test(text) ? Number(text) : 0;
}

/** Brings the newest set's revision, annotations and minReadySeconds up to date; makes the set when `create`. */
export function syncNewest(work: Work, create: boolean): void {
  const revision = Math.max(0, ...work.olds.map(revisionOf)) + 1;
  if (work.newest !== undefined) updateNewest(work, work.newest, revision);
  else if (create) createNewest(work, revision);
  const current = work.newest?.metadata.annotations?.[revisionAnnotation];
  if (current !== undefined && work.deployment.metadata.annotations?.[revisionAnnotation] !== current) {
    work.writes.push({ kind: "setRevision", revision: current });
  }
}

function updateNewest(work: Work, newest: ReplicaSet, revision: number): void {
  const { deployment } = work;
  const annotations = newestAnnotations(deployment, newest, revision);
  const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
  if (!semanticEqual(annotations, newest.metadata.annotations) || minReadySeconds !== (newest.spec?.minReadySeconds ?? 0)) {
    replace(work, {
      ...newest,
      metadata: { ...newest.metadata, annotations },
      spec: { ...newest.spec, minReadySeconds } as NonNullable<ReplicaSet["spec"]>,
    });
  }
  if (hasDeadline(deployment) && findCondition(work.conditions, "Progressing") === undefined) {
    const message = `Found new replica set ${JSON.stringify(newest.metadata.name)}`;
    work.conditions = withCondition(
      work.conditions,
      { type: "Progressing", status: "True", reason: "FoundNewReplicaSet", message },
      work.now,
    );
  }
}

function createNewest(work: Work, revision: number): void {
  const { deployment } = work;
  const bare = newReplicaSet(deployment, revision);
  const replicaSet = { ...bare, spec: { ...bare.spec, replicas: newestSize(work, 0) } as NonNullable<ReplicaSet["spec"]> };
  work.newest = replicaSet;
  work.writes.push({ kind: "createReplicaSet", replicaSet });
  if (replicasOf(replicaSet) > 0) scalingEvent(work, replicaSet.metadata.name ?? "", 0, replicasOf(replicaSet));
  if (!hasDeadline(deployment)) return;
  const message = `Created new replica set ${JSON.stringify(replicaSet.metadata.name)}`;
  work.conditions = withCondition(
    work.conditions,
    { type: "Progressing", status: "True", reason: "NewReplicaSetCreated", message },
    work.now,
  );
}

/** What the Deployment's annotations make of its newest set's; a set that is rolled back to keeps its former revisions. */
function newestAnnotations(deployment: Deployment, set: ReplicaSet, revision: number): Readonly<Record<string, string>> {
  const own = set.metadata.annotations ?? {};
  const copied = Object.fromEntries(Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !notCopied.has(key)));
  const before = revisionOf(set);
  if (before >= revision) return { ...own, ...copied };
  const history =
    own[revisionAnnotation] === undefined
      ? {}
      : { [revisionHistoryAnnotation]: [own[revisionHistoryAnnotation], String(before)].filter(Boolean).join() };
  return { ...own, ...copied, ...history, [revisionAnnotation]: String(revision) };
}

function newReplicaSet(deployment: Deployment, revision: number): ReplicaSet {
  const template = deployment.spec?.template ?? {};
  const hash = podTemplateHash(template, deployment.status?.collisionCount ?? 0);
  const labels = { ...template.metadata?.labels, [podTemplateHashLabel]: hash };
  const annotations = newestAnnotations(deployment, { metadata: {} }, revision);
  const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
  return {
    apiVersion: "apps/v1",
    kind: replicaSets.kind,
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      ...(deployment.metadata.namespace === undefined ? {} : { namespace: deployment.metadata.namespace }),
      labels,
      annotations: { ...annotations, ...sizeAnnotations(deployment) },
      ownerReferences: [controllerReference(deployment, deployments)],
    },
    spec: {
      replicas: 0,
      ...(minReadySeconds === 0 ? {} : { minReadySeconds }),
      selector: withHashLabel(deployment.spec?.selector, hash),
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

function withHashLabel(selector: LabelSelector | undefined, hash: string): LabelSelector {
  return { ...selector, matchLabels: { ...selector?.matchLabels, [podTemplateHashLabel]: hash } };
}

/** The size that the newest set may have now: what is wanted, but no more pods in all than the surge allows. */
export function newestSize(work: Work, current: number): number {
  const { deployment } = work;
  const desired = desiredReplicas(deployment);
  if (!isRollingUpdate(deployment)) return desired;
  const total = sum(work.olds, replicasOf) + current;
  const room = desired + maxSurge(deployment) - total;
  return room <= 0 ? current : current + Math.min(room, desired - current);
}

export function hasDeadline({ spec }: Deployment): boolean {
  return spec?.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds !== 2 ** 31 - 1;
}

/** Empty old sets beyond `revisionHistoryLimit`, lowest revision first. */
export function cleanUpHistory(work: Work): void {
  const limit = work.deployment.spec?.revisionHistoryLimit;
  if (limit === undefined || limit === 2 ** 31 - 1) return;
  const cleanable = work.olds.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const surplus = cleanable.length - limit;
  if (surplus <= 0) return;
  for (const replicaSet of [...cleanable].sort((a, b) => revisionOf(a) - revisionOf(b)).slice(0, surplus)) {
    const { status, metadata } = replicaSet;
    const settled = (metadata.generation ?? 0) <= (status?.observedGeneration ?? 0);
    if (settled && replicasOf(replicaSet) === 0 && (status?.replicas ?? 0) === 0)
      work.writes.push({ kind: "deleteReplicaSet", replicaSet });
  }
}
