/** Pods that nobody will remove otherwise (upstream `pkg/controller/podgc`). Pure. */
import type { Pod } from "../../api/types.ts";
import { isPodFinished } from "../../decide/endpoints/pod-state.ts";

export interface PodGcPlan {
  /** Deleted at once, with a grace period of 0. */
  readonly remove: readonly Pod[];
  /** Pods whose node is missing, but not for long enough yet. */
  readonly waiting: boolean;
}

/** How long a node must be missing before its pods are given up. */
export const nodeQuarantineMs = 40_000;

/**
 * `missingSince(node)`: when the node was first missed; undefined while it exists. `threshold`: finished pods that may
 * stay, the youngest ones.
 */
export function planPodGc(
  pods: readonly Pod[],
  missingSince: (node: string) => number | undefined,
  threshold: number,
  now: number,
): PodGcPlan {
  const finished = pods.filter((pod) => isPodFinished(pod) && pod.metadata.deletionTimestamp === undefined).sort(byAge);
  const surplus = finished.slice(0, Math.max(0, finished.length - threshold));
  const orphans = pods.filter(({ spec }) => (spec?.nodeName ?? "") !== "" && missingSince(spec?.nodeName ?? "") !== undefined);
  const lost = orphans.filter(({ spec }) => (missingSince(spec?.nodeName ?? "") ?? now) + nodeQuarantineMs <= now);
  const neverPlaced = pods.filter(({ metadata, spec }) => metadata.deletionTimestamp !== undefined && (spec?.nodeName ?? "") === "");
  return { remove: [...new Set([...surplus, ...lost, ...neverPlaced])], waiting: orphans.length > lost.length };
}

function byAge(a: Pod, b: Pod): number {
  return (
    (a.metadata.creationTimestamp ?? "").localeCompare(b.metadata.creationTimestamp ?? "") ||
    (a.metadata.name ?? "").localeCompare(b.metadata.name ?? "")
  );
}
