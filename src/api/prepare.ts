/**
 * What happens to every object between its decoding and its storing, for every kind in the same order: defaults, then
 * allocation, then the kind's own preparation, then validation (apiserver `pkg/registry/rest/{create,update}.go`).
 */
import { equalSemantics } from "./equality.ts";
import { type FieldError } from "./field-error.ts";
import type { KindContext, KindSpec } from "./kind.ts";
import type { Draft, KubeObject } from "./object.ts";
import { internalError } from "./status.ts";
import { validateMetadata, validateMetadataUpdate } from "./validation/metadata.ts";

/** What was taken from pools for one write. Exactly one of the two is called, once. */
export interface Allocation {
  /** The write is stored: give back what the object no longer needs. */
  commit(): void;
  /** The write failed: give back what was taken for it. */
  revert(): void;
}

export type AllocationOutcome =
  | { readonly kind: "ok"; readonly allocation: Allocation }
  | { readonly kind: "invalid"; readonly errors: readonly FieldError[] }
  /** Nothing left; the API answers 500 with this text. */
  | { readonly kind: "exhausted"; readonly message: string };

export interface PrepareContext extends KindContext {
  /** Fills in what comes from pools (`allocate/service.ts`). It runs after the defaults and before validation. */
  readonly allocate?: (object: Draft<KubeObject>, old: KubeObject | undefined) => AllocationOutcome;
}

export interface Prepared<T extends KubeObject = KubeObject> {
  /** Plain data that nothing else refers to, except parts that were taken over, frozen, from the old object. */
  readonly object: Draft<T>;
  /** Empty when the object may be stored. */
  readonly errors: readonly FieldError[];
  readonly warnings: readonly string[];
  /** Present when something was allocated and there are no errors: commit or revert it. */
  readonly allocation?: Allocation;
}

/**
 * Prepares a create (no `old`) or an update through the main resource. Takes over `object`, which must come fresh from
 * `decodeObject`, and changes it. The caller sets name, uid, creationTimestamp and resourceVersion; on an update those
 * that are missing are filled from `old`. Throws a 500 `StatusError` when a pool is exhausted.
 */
export function prepare(kind: KindSpec, object: Draft<KubeObject>, old: KubeObject | undefined, context: PrepareContext): Prepared {
  kind.applyDefaults?.(object);
  if (old === undefined) prepareCreateMetadata(object);
  else prepareUpdateMetadata(object, old);
  const outcome = context.allocate?.(object, old);
  if (outcome?.kind === "exhausted") throw internalError(outcome.message);
  if (outcome?.kind === "invalid") return { object, errors: outcome.errors, warnings: [] };
  if (old === undefined) (kind.prepareForCreate ?? defaultPrepareForCreate(kind))(object);
  else (kind.prepareForUpdate ?? defaultPrepareForUpdate(kind))(object, old);
  const errors = validate(kind, object as KubeObject, old, context);
  if (errors.length > 0) {
    outcome?.allocation.revert();
    return { object, errors, warnings: [] };
  }
  const warnings = kind.warnings?.(object as KubeObject, old) ?? [];
  return { object, errors, warnings, ...(outcome === undefined ? {} : { allocation: outcome.allocation }) };
}

/**
 * Prepares an update through the status subresource: only `status`, labels, annotations and finalizers come from `object`,
 * as upstream's status strategies have it. Takes over `object` like `prepare`.
 */
export function prepareStatus(kind: KindSpec, object: Draft<KubeObject>, old: KubeObject, context: KindContext): Prepared {
  kind.applyDefaults?.(object);
  prepareUpdateMetadata(object, old);
  const { status } = object as WithSpec;
  const metadata = { ...object.metadata, generation: old.metadata.generation, ownerReferences: old.metadata.ownerReferences };
  const kept = Object.fromEntries(Object.entries(old).filter(([field]) => field !== "status"));
  const next = { ...kept, metadata: withoutUndefined(metadata), ...(status === undefined ? {} : { status }) } as Draft<KubeObject>;
  const errors = [
    ...validateMetadataUpdate(next as KubeObject, old),
    ...validateMetadata(kind, next as KubeObject),
    ...(kind.validateStatus?.(next as KubeObject, old, context) ?? []),
  ];
  return { object: next, errors, warnings: [] };
}

function validate(kind: KindSpec, object: KubeObject, old: KubeObject | undefined, context: KindContext): readonly FieldError[] {
  return [
    ...(old === undefined ? [] : validateMetadataUpdate(object, old)),
    ...validateMetadata(kind, object),
    ...(kind.validate?.(object, old, context) ?? []),
  ];
}

interface WithSpec extends KubeObject {
  spec?: unknown;
  status?: unknown;
}

function prepareCreateMetadata(object: Draft<KubeObject>): void {
  delete object.metadata.deletionTimestamp;
  delete object.metadata.deletionGracePeriodSeconds;
  delete object.metadata.selfLink;
}

/** Clients may leave out what they cannot change, and no client can undo a deletion. */
function prepareUpdateMetadata(object: Draft<KubeObject>, old: KubeObject): void {
  const [next, previous] = [object.metadata, old.metadata];
  if (next.uid === undefined || next.uid === "") assign(next, "uid", previous.uid);
  next.creationTimestamp ??= previous.creationTimestamp;
  if (previous.deletionTimestamp !== undefined) next.deletionTimestamp = previous.deletionTimestamp;
  if (previous.deletionGracePeriodSeconds !== undefined) next.deletionGracePeriodSeconds ??= previous.deletionGracePeriodSeconds;
  assign(next, "generation", previous.generation);
  if (next.creationTimestamp === undefined) delete next.creationTimestamp;
  delete next.selfLink;
}

function assign<T extends object, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void {
  if (value === undefined) delete target[key];
  else target[key] = value;
}

function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

const hasStatus = (kind: KindSpec): boolean => kind.subresources.includes("status");

/** Empties `status` where it has its own subresource, and starts counting generations. */
export function defaultPrepareForCreate(kind: KindSpec): (object: Draft<KubeObject>) => void {
  return (object) => {
    if (!hasStatus(kind)) return;
    (object as WithSpec).status = {};
    object.metadata.generation = 1;
  };
}

/** Keeps the old `status` where it has its own subresource, and counts changes of the spec. */
export function defaultPrepareForUpdate(kind: KindSpec): (object: Draft<KubeObject>, old: KubeObject) => void {
  return (object, old) => {
    if (!hasStatus(kind)) return;
    assign(object as WithSpec, "status", (old as WithSpec).status);
    if (!equalSemantics((object as WithSpec).spec, (old as WithSpec).spec)) {
      object.metadata.generation = (old.metadata.generation ?? 0) + 1;
    }
  };
}
