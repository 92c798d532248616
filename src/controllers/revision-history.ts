/**
 * ControllerRevisions: the templates that a StatefulSet or DaemonSet had, by which its pods are told apart and a rollout
 * is undone (upstream `pkg/controller/history`). Pure.
 */
import type { KubeObject } from "../api/object.ts";
import type { Resource } from "../api/resources.ts";
import type { ControllerRevision, PodTemplateSpec } from "../api/types.ts";
import { semanticEqual } from "../decide/endpoints/equal.ts";
import { controllerReference } from "./claim.ts";
import { podTemplateHash } from "./template-hash.ts";

export const revisionHashLabel = "controller.kubernetes.io/hash";
/** On pods: which revision they are of. */
export const podRevisionLabel = "controller-revision-hash";

/** `kubectl rollout undo` sends these data as a strategic merge patch. */
interface RevisionData {
  readonly spec: { readonly template: PodTemplateSpec & { readonly $patch?: string } };
}

export type RevisionPlan =
  | { readonly kind: "keep"; readonly revision: ControllerRevision }
  /** An older one is the newest again: it gets a number of its own. */
  | { readonly kind: "renumber"; readonly revision: ControllerRevision; readonly number: number }
  | { readonly kind: "create"; readonly revision: ControllerRevision };

export interface RevisionOwner {
  readonly object: KubeObject;
  readonly resource: Resource<KubeObject>;
  readonly template: PodTemplateSpec;
  readonly collisionCount: number;
}

/** By number, the oldest first. */
export function sortRevisions(revisions: readonly ControllerRevision[]): readonly ControllerRevision[] {
  return [...revisions].sort(
    (a, b) =>
      a.revision - b.revision ||
      (a.metadata.creationTimestamp ?? "").localeCompare(b.metadata.creationTimestamp ?? "") ||
      (a.metadata.name ?? "").localeCompare(b.metadata.name ?? ""),
  );
}

/** The revision of the owner's present template. `sorted`: those that it has. */
export function planRevision(owner: RevisionOwner, sorted: readonly ControllerRevision[]): RevisionPlan {
  const newest = sorted.at(-1);
  const number = (newest?.revision ?? 0) + 1;
  const data = dataOf(owner.template);
  const same = sorted.findLast((revision) => semanticEqual(revision.data, data));
  if (same === undefined) return { kind: "create", revision: newRevision(owner, data, number) };
  return same === newest ? { kind: "keep", revision: same } : { kind: "renumber", revision: same, number };
}

const dataOf = (template: PodTemplateSpec): RevisionData => ({ spec: { template: { ...template, $patch: "replace" } } });

function newRevision(
  { object, resource, template, collisionCount }: RevisionOwner,
  data: RevisionData,
  revision: number,
): ControllerRevision {
  const { name, namespace, annotations } = object.metadata;
  const hash = podTemplateHash(template, collisionCount);
  return {
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...template.metadata?.labels, [revisionHashLabel]: hash },
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerReference(object, resource)],
    },
    data,
    revision,
  };
}

export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { $patch: _, ...template } = (revision.data as RevisionData | undefined)?.spec.template ?? {};
  return template;
}

export const hashOf = ({ metadata }: ControllerRevision): string => metadata.labels?.[revisionHashLabel] ?? "";

/** Revisions beyond the limit that nobody needs, oldest first. `isLive`: of a pod, or of the rollout. */
export function surplusRevisions(
  sorted: readonly ControllerRevision[],
  limit: number,
  isLive: (revision: ControllerRevision) => boolean,
): readonly ControllerRevision[] {
  const dead = sorted.filter((revision) => !isLive(revision));
  return dead.slice(0, Math.max(0, dead.length - limit));
}
