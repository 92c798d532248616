/**
 * The state that one pass over a Deployment works on: the ReplicaSets as they will be once the writes gathered so far
 * are done. Each stage of `reconcile.ts` changes it; nothing is written before the pass is over.
 */
import type { Deployment, DeploymentCondition, ReplicaSet } from "../../api/types.ts";
import { rfc3339 } from "../../lib/clock.ts";
import { desiredReplicas, maxSurge } from "./limits.ts";

export type DeploymentWrite =
  | { readonly kind: "createReplicaSet"; readonly replicaSet: ReplicaSet }
  | { readonly kind: "updateReplicaSet"; readonly replicaSet: ReplicaSet }
  | { readonly kind: "deleteReplicaSet"; readonly replicaSet: ReplicaSet }
  /** The annotation `deployment.kubernetes.io/revision` of the Deployment itself. */
  | { readonly kind: "setRevision"; readonly revision: string };

export interface PlannedEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

export interface Work {
  readonly deployment: Deployment;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Of an older template, oldest first. */
  olds: readonly ReplicaSet[];
  /** Of the Deployment's template. */
  newest: ReplicaSet | undefined;
  conditions: readonly DeploymentCondition[];
  readonly writes: DeploymentWrite[];
  readonly events: PlannedEvent[];
}

export const desiredAnnotation = "deployment.kubernetes.io/desired-replicas";
export const maxAnnotation = "deployment.kubernetes.io/max-replicas";

export const replicasOf = (set: ReplicaSet): number => set.spec?.replicas ?? 1;
export const sum = (sets: readonly ReplicaSet[], value: (set: ReplicaSet) => number): number =>
  sets.reduce((total, set) => total + value(set), 0);
export const isActive = (set: ReplicaSet): boolean => replicasOf(set) > 0;
export const allSets = ({ olds, newest }: Work): readonly ReplicaSet[] => (newest === undefined ? olds : [...olds, newest]);

/** Gives a set its new size, and the annotations that tell the size it was made for; true when the size changed. */
export function scale(work: Work, set: ReplicaSet, replicas: number): boolean {
  const resized = replicas !== replicasOf(set);
  const sizes = sizeAnnotations(work.deployment);
  const annotated = Object.entries(sizes).some(([key, value]) => set.metadata.annotations?.[key] !== value);
  if (!resized && !annotated) return false;
  const annotations = { ...set.metadata.annotations, ...sizes };
  replace(work, { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, replicas } as NonNullable<ReplicaSet["spec"]> });
  if (resized) scalingEvent(work, set.metadata.name ?? "", replicasOf(set), replicas);
  return resized;
}

export function sizeAnnotations(deployment: Deployment): Readonly<Record<string, string>> {
  const desired = desiredReplicas(deployment);
  return { [desiredAnnotation]: String(desired), [maxAnnotation]: String(desired + maxSurge(deployment)) };
}

export function scalingEvent(work: Work, name: string, from: number, to: number): void {
  const message = `Scaled ${to > from ? "up" : "down"} replica set ${name} from ${from} to ${to}`;
  work.events.push({ type: "Normal", reason: "ScalingReplicaSet", message });
}

/** Puts the new form of a set in the place of the old one, and into the writes. */
export function replace(work: Work, set: ReplicaSet): void {
  const isSame = (other: ReplicaSet) => other.metadata.name === set.metadata.name;
  work.olds = work.olds.map((other) => (isSame(other) ? set : other));
  if (work.newest !== undefined && isSame(work.newest)) work.newest = set;
  const index = work.writes.findIndex((write) => "replicaSet" in write && isSame(write.replicaSet));
  const earlier = work.writes[index];
  if (earlier === undefined) work.writes.push({ kind: "updateReplicaSet", replicaSet: set });
  else work.writes[index] = { kind: earlier.kind === "createReplicaSet" ? "createReplicaSet" : "updateReplicaSet", replicaSet: set };
}

export function findCondition(conditions: readonly DeploymentCondition[], type: string): DeploymentCondition | undefined {
  return conditions.find((condition) => condition.type === type);
}

/** Nothing changes when status and reason stay; the transition time only changes with the status. */
export function withCondition(
  conditions: readonly DeploymentCondition[],
  condition: Omit<DeploymentCondition, "lastUpdateTime" | "lastTransitionTime">,
  now: number,
): readonly DeploymentCondition[] {
  const current = findCondition(conditions, condition.type);
  if (current !== undefined && current.status === condition.status && current.reason === condition.reason) return conditions;
  return renewCondition(conditions, condition, now);
}

/** As `withCondition`, but the update time moves in any case. */
export function renewCondition(
  conditions: readonly DeploymentCondition[],
  condition: Omit<DeploymentCondition, "lastUpdateTime" | "lastTransitionTime">,
  now: number,
): readonly DeploymentCondition[] {
  const current = findCondition(conditions, condition.type);
  const time = rfc3339(now);
  const lastTransitionTime = current?.status === condition.status ? (current.lastTransitionTime ?? time) : time;
  return [...withoutCondition(conditions, condition.type), { ...condition, lastUpdateTime: time, lastTransitionTime }];
}

export function withoutCondition(conditions: readonly DeploymentCondition[], type: string): readonly DeploymentCondition[] {
  return conditions.filter((condition) => condition.type !== type);
}
