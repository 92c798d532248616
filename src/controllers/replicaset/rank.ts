/**
 * Which pods go first when there are too many (upstream `controller_utils.go` `ActivePodsWithRanks`): those that serve
 * least. The criteria in order; the first that tells two pods apart decides.
 */
import type { Pod } from "../../api/types.ts";
import { isPodReady, podCondition } from "../../decide/endpoints/pod-state.ts";

const phaseOrder: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

export const deletionCostAnnotation = "controller.kubernetes.io/pod-deletion-cost";

/** `count` of `pods`. `related`: pods of sibling ReplicaSets too, so that a crowded node gives first. */
export function choosePodsToDelete(
  pods: readonly Pod[],
  related: readonly Pod[],
  count: number,
  now: number,
  random: () => number,
): readonly Pod[] {
  if (count >= pods.length) return pods;
  const perNode = new Map<string, number>();
  for (const { spec } of related) perNode.set(spec?.nodeName ?? "", (perNode.get(spec?.nodeName ?? "") ?? 0) + 1);
  const ranked = pods.map((pod) => ({ pod, rank: perNode.get(pod.spec?.nodeName ?? "") ?? 0, lot: random() }));
  return ranked
    .sort((a, b) => compare(a, b, now))
    .slice(0, count)
    .map(({ pod }) => pod);
}

interface Ranked {
  readonly pod: Pod;
  readonly rank: number;
  /** Decides between pods that are equal in everything. */
  readonly lot: number;
}

function compare(a: Ranked, b: Ranked, now: number): number {
  return (
    Number(isAssigned(a.pod)) - Number(isAssigned(b.pod)) ||
    phase(a.pod) - phase(b.pod) ||
    Number(isPodReady(a.pod)) - Number(isPodReady(b.pod)) ||
    deletionCost(a.pod) - deletionCost(b.pod) ||
    b.rank - a.rank ||
    readyAge(a.pod, now) - readyAge(b.pod, now) ||
    restarts(b.pod) - restarts(a.pod) ||
    logAge(a.pod.metadata.creationTimestamp, now) - logAge(b.pod.metadata.creationTimestamp, now) ||
    a.lot - b.lot
  );
}

const isAssigned = (pod: Pod): boolean => (pod.spec?.nodeName ?? "") !== "";
const phase = (pod: Pod): number => phaseOrder[pod.status?.phase ?? "Pending"] ?? 0;
const readyAge = (pod: Pod, now: number): number => (isPodReady(pod) ? logAge(podCondition(pod, "Ready")?.lastTransitionTime, now) : 0);
const restarts = (pod: Pod): number => Math.max(0, ...(pod.status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));

/** Invalid costs count as none. */
function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[deletionCostAnnotation] ?? "0";
  return /^[+-]?\d+$/.test(text) ? Number(text) : 0;
}

/** Powers of two of the age: pods of about the same age are equal, and the lot spreads the choice over them (KEP-2185). */
function logAge(time: string | undefined, now: number): number {
  const age = now - Date.parse(time ?? "");
  return age > 0 ? Math.floor(Math.log2(age * 1e6)) : 0;
}
