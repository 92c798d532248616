/**
 * What a DELETE does to an object: decided here, done by the registry (apiserver `pkg/registry/rest/delete.go`,
 * `pkg/registry/generic/registry/store.go`, `pkg/registry/core/namespace/storage`). Pure.
 */
import type { KindSpec } from "../../api/kind.ts";
import { draft, type Draft, type KubeObject } from "../../api/object.ts";
import type { DeleteOptions, Namespace } from "../../api/types.ts";
import { rfc3339 } from "../../lib/clock.ts";

export type Deletion =
  /** It goes now. */
  | { readonly kind: "remove" }
  /** It stays, marked, until its finalizers are gone and its grace period is over. */
  | { readonly kind: "mark"; readonly object: KubeObject }
  /** It is being deleted already and nothing changes. */
  | { readonly kind: "pending" }
  | { readonly kind: "conflict"; readonly message: string };

const foreground = "foregroundDeletion";
const orphan = "orphan";

export function decideDeletion(kind: KindSpec, object: KubeObject, options: DeleteOptions, now: number): Deletion {
  const violated = violatedPrecondition(object, options);
  if (violated !== undefined) return { kind: "conflict", message: violated };
  if (kind.resource.plural === "namespaces" && kind.resource.group === "") return decideNamespace(object as Namespace, now);
  const finalizers = wantedFinalizers(kind, object, options);
  const grace = gracePeriod(kind, object, options);
  if (object.metadata.deletionTimestamp !== undefined) return shorten(object, grace, finalizers, now);
  if (grace === 0 && finalizers.length === 0) return { kind: "remove" };
  return { kind: "mark", object: marked(object, now, grace, finalizers) };
}

/** Whether an object whose deletion was asked for may go: nothing holds it any more. */
export function isReleased(object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  return deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0 && finalizers.length === 0 && !holdsContent(object);
}

/** A namespace stays until the namespace controller has emptied it. */
function holdsContent(object: KubeObject): boolean {
  return object.kind === "Namespace" && ((object as Namespace).spec?.finalizers?.length ?? 0) > 0;
}

function violatedPrecondition({ metadata }: KubeObject, { preconditions }: DeleteOptions): string | undefined {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid !== undefined && uid !== metadata.uid)
    return `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`;
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion)
    return `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`;
  return undefined;
}

/** Seconds that the object is given. Kinds without graceful deletion have none; the asker may shorten or lengthen it. */
function gracePeriod(kind: KindSpec, object: KubeObject, { gracePeriodSeconds }: DeleteOptions): number {
  const own = kind.defaultGracePeriodSeconds?.(object) ?? 0;
  if (own === 0 || gracePeriodSeconds === undefined) return own;
  // Upstream reads a negative period as the shortest that is not a forced deletion.
  return gracePeriodSeconds < 0 ? 1 : gracePeriodSeconds;
}

/** The propagation policy is kept as a finalizer, which the garbage collector acts on and removes. */
function wantedFinalizers(
  kind: KindSpec,
  { metadata }: KubeObject,
  { propagationPolicy, orphanDependents }: DeleteOptions,
): readonly string[] {
  const current = metadata.finalizers ?? [];
  const said = propagationPolicy ?? (orphanDependents === true ? "Orphan" : orphanDependents === false ? "Background" : undefined);
  const chosen = current.includes(foreground) || current.includes(orphan);
  const policy = said ?? (chosen ? undefined : kind.defaultPropagationPolicy);
  if (policy === undefined) return current;
  const others = current.filter((finalizer) => finalizer !== foreground && finalizer !== orphan);
  if (policy === "Foreground") return [...others, foreground];
  return policy === "Orphan" ? [...others, orphan] : others;
}

/** A second deletion can only bring the end nearer, or change what becomes of dependents. */
function shorten(object: KubeObject, grace: number, finalizers: readonly string[], now: number): Deletion {
  const before = object.metadata.deletionGracePeriodSeconds ?? 0;
  if (Math.min(grace, before) === 0 && finalizers.length === 0) return { kind: "remove" };
  if (grace >= before && finalizers.join() === (object.metadata.finalizers ?? []).join()) return { kind: "pending" };
  return { kind: "mark", object: marked(object, now, Math.min(grace, before), finalizers) };
}

function marked(object: KubeObject, now: number, grace: number, finalizers: readonly string[]): KubeObject {
  const next: Draft<KubeObject> = draft(object);
  next.metadata.deletionTimestamp = rfc3339(now + grace * 1000);
  next.metadata.deletionGracePeriodSeconds = grace;
  if (finalizers.length === 0) delete next.metadata.finalizers;
  else next.metadata.finalizers = [...finalizers];
  if ((next.metadata.generation ?? 0) > 0 && object.metadata.deletionTimestamp === undefined) {
    next.metadata.generation = (next.metadata.generation ?? 0) + 1;
  }
  return next as KubeObject;
}

function decideNamespace(object: Namespace, now: number): Deletion {
  if (object.metadata.deletionTimestamp === undefined) {
    const next: Draft<Namespace> = draft(object);
    next.metadata.deletionTimestamp = rfc3339(now);
    next.status = { ...next.status, phase: "Terminating" };
    return { kind: "mark", object: next as KubeObject };
  }
  if (!holdsContent(object)) return (object.metadata.finalizers ?? []).length === 0 ? { kind: "remove" } : { kind: "pending" };
  const message =
    "The system is ensuring all content is removed from this namespace.  Upon completion, this namespace will automatically be purged by the system.";
  return { kind: "conflict", message };
}
