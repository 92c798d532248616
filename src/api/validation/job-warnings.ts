/** What may be said of a Job at its creation, so that nobody waits for it in vain. */
import type { JobSpec } from "../types.ts";
import { podSpecWarnings } from "./pod-warnings.ts";

export function jobSpecWarnings(spec: JobSpec | undefined, path: string): string[] {
  if (spec === undefined) return [];
  const { completionMode, completions = 0, parallelism = 0 } = spec;
  const large = completionMode === "Indexed" && completions > 100_000 && parallelism > 10_000;
  return [
    ...podSpecWarnings(spec.template?.spec ?? { containers: [] }, `${path}.template.spec`),
    ...(large ? [`In Indexed Jobs with a number of completions higher than 10^5 the parallelism should be at most 10^4`] : []),
  ];
}
