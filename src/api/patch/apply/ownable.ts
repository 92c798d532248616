/** What of an object can be owned. */
import type { KubeObject } from "../../object.ts";

/** Never owned: the object's identity and what the server writes (managedfields `stripMeta`). */
const strippedMeta = [
  "name",
  "namespace",
  "creationTimestamp",
  "selfLink",
  "uid",
  "generation",
  "managedFields",
  "resourceVersion",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
];

/** The object as ownership sees it. */
export function ownable(object: KubeObject): Readonly<Record<string, unknown>> {
  const { apiVersion: _, kind: __, metadata, ...rest } = object as KubeObject & Readonly<Record<string, unknown>>;
  const meta: Record<string, unknown> = { ...metadata };
  for (const key of strippedMeta) delete meta[key];
  return Object.keys(meta).length === 0 ? rest : { metadata: meta, ...rest };
}
