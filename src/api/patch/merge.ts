/** JSON merge patch (RFC 7386): objects merge, null removes, anything else replaces. */
import { malformedPatch } from "./errors.ts";
import { isObject, maxPatchDepth, ownKey, setKey } from "./json-value.ts";

/** Inputs are never changed; the result may share parts with them. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  return merge(target, patch, 0);
}

function merge(target: unknown, patch: unknown, depth: number): unknown {
  if (depth > maxPatchDepth) throw malformedPatch(`deeper than ${maxPatchDepth} levels`);
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const key of Object.keys(patch)) {
    const value = ownKey(patch, key);
    if (value === null || value === undefined) delete result[key];
    else setKey(result, key, merge(ownKey(result, key), value, depth + 1));
  }
  return result;
}
