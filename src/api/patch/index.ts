/** The patch types of the API (`Content-Type` of a PATCH) over an object. Data in, data out. */
import { StatusError } from "../status.ts";
import { malformedPatch } from "./errors.ts";
import { isObject } from "./json-value.ts";
import { jsonPatch } from "./json.ts";
import { mergePatch } from "./merge.ts";
import { strategicMergePatch } from "./strategic.ts";
import type { Conflict } from "./apply/apply.ts";

export { serverSideApply, type ApplyRequest, type ApplyResult, type Conflict } from "./apply/apply.ts";
export { trackUpdate, type TrackRequest } from "./apply/track.ts";

export type ObjectPatchType = "application/json-patch+json" | "application/merge-patch+json" | "application/strategic-merge-patch+json";

/**
 * The patched object as plain JSON, still to be decoded and prepared. `definition` is the type's name in the schema.
 * Throws StatusErrors: 400 for a patch that cannot be read, 422 for one that does not fit the object.
 */
export function applyPatch(object: unknown, patch: unknown, type: ObjectPatchType, definition: string): unknown {
  switch (type) {
    case "application/json-patch+json":
      return jsonPatch(object, patch);
    case "application/merge-patch+json":
      if (!isObject(patch)) throw malformedPatch("a merge patch of an object is an object");
      return mergePatch(object, patch);
    case "application/strategic-merge-patch+json":
      return strategicMergePatch(object, patch, definition);
    default:
      return type satisfies never;
  }
}

/** 409 with a cause per field (apimachinery `managedfields/internal/conflict.go`). */
export function applyConflictError(conflicts: readonly Conflict[]): StatusError {
  const byManager = new Map<string, string[]>();
  for (const { message, field } of conflicts) byManager.set(message, [...(byManager.get(message) ?? []), field]);
  const [only] = byManager;
  const text =
    conflicts.length === 1 && only !== undefined
      ? `${only[0]}: ${only[1][0]}`
      : [...byManager]
          .map(([message, fields]) => `${message.replace("conflict", "conflicts")}:\n${fields.map((field) => `- ${field}`).join("\n")}`)
          .join("\n");
  const count = conflicts.length;
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `Apply failed with ${count} conflict${count === 1 ? "" : "s"}: ${text}`,
    reason: "Conflict",
    details: { causes: conflicts.map(({ message, field }) => ({ reason: "FieldManagerConflict", message, field })) },
    code: 409,
  });
}
