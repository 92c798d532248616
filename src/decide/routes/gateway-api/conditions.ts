/** Conditions as the Gateway API has them: each with the generation that it speaks about. */
import type { Condition } from "./objects.ts";

export function condition(type: string, status: boolean | "Unknown", reason: string, message = ""): Condition {
  return { type, status: status === "Unknown" ? status : status ? "True" : "False", reason, message };
}

export function isTrue(conditions: readonly Condition[], type: string): boolean {
  return conditions.some((each) => each.type === type && each.status === "True");
}

/**
 * For writing: with generation and time. A condition that says what it said keeps its time (`meta.SetStatusCondition`), so that a
 * status which has not changed is equal to what is stored. `now`: RFC 3339.
 */
export function stamped(
  wanted: readonly Condition[],
  before: readonly Condition[] = [],
  generation: number,
  now: string,
): readonly Condition[] {
  return wanted.map((each) => {
    const old = before.find(({ type }) => type === each.type);
    const lastTransitionTime = old !== undefined && old.status === each.status ? (old.lastTransitionTime ?? now) : now;
    return { ...each, observedGeneration: generation, lastTransitionTime };
  });
}
