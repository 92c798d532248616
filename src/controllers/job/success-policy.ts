/** `successPolicy`: an indexed Job is done when one of its rules is met, whatever else still runs (KEP-3998; upstream `pkg/controller/job/success_policy.go`). Pure. */
import type { Job } from "../../api/types.ts";
import { parseIndexes } from "./indexes.ts";

/** The message of the condition; undefined: no rule is met. */
export function metSuccessPolicy({ spec }: Job, completed: ReadonlySet<number>): string | undefined {
  for (const [at, { succeededIndexes, succeededCount }] of (spec?.successPolicy?.rules ?? []).entries()) {
    const meant = succeededIndexes === undefined ? completed : parseIndexes(succeededIndexes, spec?.completions ?? 0);
    const found = [...meant].filter((index) => completed.has(index)).length;
    const wanted = succeededCount ?? (succeededIndexes === undefined ? undefined : meant.size);
    if (wanted !== undefined && wanted > 0 && found >= wanted) return `Matched rules at index ${at}`;
  }
  return undefined;
}
