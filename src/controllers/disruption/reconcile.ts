/** How many of a PodDisruptionBudget's pods may be evicted now (upstream `pkg/controller/disruption/disruption.go`). Pure. */
import { scaledValue } from "../../api/int-or-string.ts";
import type { Condition, Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from "../../api/types.ts";
import { isPodReady, isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { rfc3339 } from "../../lib/clock.ts";

/** How many pods the controllers of the pods want in all; `unknown`: a pod has none whose wish can be known. */
export type Scale = { readonly kind: "known"; readonly replicas: number } | { readonly kind: "unknown"; readonly message: string };

export interface BudgetPlan {
  readonly status: PodDisruptionBudgetStatus;
  readonly event: { readonly type: "Normal" | "Warning"; readonly reason: string; readonly message: string } | undefined;
  /** Milliseconds until a pod whose eviction was granted and that is still there counts again. */
  readonly againIn?: number;
}

/** An eviction that did not lead to a deletion by then did not take place. */
const deletionTimeoutMs = 120_000;

/** `pods`: those that the selector matches. */
export function planBudget(budget: PodDisruptionBudget, pods: readonly Pod[], scale: () => Scale, now: number): BudgetPlan {
  const needsScale = budget.spec?.maxUnavailable !== undefined || typeof budget.spec?.minAvailable === "string";
  const known: Scale = needsScale ? scale() : { kind: "known", replicas: pods.length };
  if (known.kind === "unknown") return failed(budget, known.message, now);
  const desiredHealthy = desiredOf(budget, known.replicas);
  const disrupted = disruptedPods(budget, pods, now);
  const currentHealthy = pods.filter((pod) => isPodReady(pod) && !isPodTerminating(pod) && !disrupted.has(pod.metadata.name ?? "")).length;
  const disruptionsAllowed = known.replicas <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const waits = [...disrupted.values()].map((time) => Date.parse(time) + deletionTimeoutMs - now);
  return {
    status: {
      ...(disrupted.size === 0 ? {} : { disruptedPods: Object.fromEntries(disrupted) }),
      currentHealthy,
      desiredHealthy,
      expectedPods: known.replicas,
      disruptionsAllowed,
      observedGeneration: budget.metadata.generation ?? 0,
      conditions: [condition(budget, disruptionsAllowed > 0 ? "SufficientPods" : "InsufficientPods", "", now)],
    },
    event: pods.length === 0 ? { type: "Normal", reason: "NoPods", message: "No matching pods found" } : undefined,
    ...(waits.length === 0 ? {} : { againIn: Math.max(1, Math.min(...waits)) }),
  };
}

function desiredOf({ spec }: PodDisruptionBudget, expected: number): number {
  if (spec?.maxUnavailable !== undefined) return Math.max(0, expected - scaledValue(spec.maxUnavailable, expected, true));
  return spec?.minAvailable === undefined ? 0 : scaledValue(spec.minAvailable, expected, true);
}

/** Evictions that were granted and whose pods are not being deleted yet; by name, with their time. */
function disruptedPods({ status }: PodDisruptionBudget, pods: readonly Pod[], now: number): ReadonlyMap<string, string> {
  const waiting = new Set(pods.filter((pod) => !isPodTerminating(pod)).map(({ metadata }) => metadata.name));
  return new Map(
    Object.entries(status?.disruptedPods ?? {}).filter(([name, time]) => waiting.has(name) && Date.parse(time) + deletionTimeoutMs > now),
  );
}

/** Who does not know allows nothing. */
function failed(budget: PodDisruptionBudget, message: string, now: number): BudgetPlan {
  const { currentHealthy = 0, desiredHealthy = 0, expectedPods = 0, ...status } = budget.status ?? {};
  return {
    status: {
      ...status,
      currentHealthy,
      desiredHealthy,
      expectedPods,
      disruptionsAllowed: 0,
      observedGeneration: budget.metadata.generation ?? 0,
      conditions: [condition(budget, "SyncFailed", message, now)],
    },
    event: {
      type: "Warning",
      reason: "CalculateExpectedPodCountFailed",
      message: `Failed to calculate the number of expected pods: ${message}`,
    },
  };
}

function condition(budget: PodDisruptionBudget, reason: string, message: string, now: number): Condition {
  const status = reason === "SufficientPods" ? "True" : "False";
  const before = budget.status?.conditions?.find(({ type }) => type === "DisruptionAllowed");
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : rfc3339(now);
  return { type: "DisruptionAllowed", status, reason, message, observedGeneration: budget.metadata.generation ?? 0, lastTransitionTime };
}
