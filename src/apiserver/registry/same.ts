/** Whether an update would change anything. */
import type { KubeObject } from "../../api/object.ts";
import type { ManagedFieldsEntry } from "../../api/types.ts";

/**
 * Equal as JSON, apart from the times of managed fields: an update that changes nothing else is not written, so that
 * controllers which write what is there already cause no events (apiserver
 * `pkg/endpoints/handlers/fieldmanager/equality.go`).
 */
export function sameObject(next: KubeObject, old: KubeObject): boolean {
  return sameJson(comparable(next), comparable(old));
}

function comparable(object: KubeObject): unknown {
  const { resourceVersion: _, managedFields, ...metadata } = object.metadata;
  const entries = managedFields?.map(({ time: _time, ...entry }: ManagedFieldsEntry) => entry) ?? [];
  return { ...object, metadata: { ...metadata, managedFields: entries.length === 0 ? undefined : entries } };
}

/** A missing member and an undefined one are the same. */
function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
  if (Array.isArray(a)) return a.length === (b as unknown[]).length && a.every((item, i) => sameJson(item, (b as unknown[])[i]));
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  return (
    Object.entries(left).every(([key, value]) => sameJson(value, Object.hasOwn(right, key) ? right[key] : undefined)) &&
    Object.entries(right).every(([key, value]) => value === undefined || Object.hasOwn(left, key))
  );
}
