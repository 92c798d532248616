/** What the statuses of workloads have in common. Pure. */
import type { Pod } from "../api/types.ts";
import { isPodReady, podCondition } from "../decide/endpoints/pod-state.ts";

/** Go omits zeros from these fields. */
export function positive<Key extends string>(key: Key, value: number): { readonly [K in Key]?: number } {
  return value === 0 ? {} : ({ [key]: value } as { readonly [K in Key]?: number });
}

/** Milliseconds until the next pod has been ready for `minReadySeconds`; undefined when none waits for it. */
export function nextAvailable(minReadySeconds: number, pods: readonly Pod[], now: number): number | undefined {
  if (minReadySeconds === 0) return undefined;
  const waits = pods
    .filter(isPodReady)
    .map((pod) => Date.parse(podCondition(pod, "Ready")?.lastTransitionTime ?? "") + minReadySeconds * 1000 - now)
    .filter((wait) => wait > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}
