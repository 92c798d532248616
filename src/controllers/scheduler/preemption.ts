/**
 * Which pods give way to one of higher priority that fits nowhere (upstream `pkg/scheduler/framework/preemption` and
 * `plugins/defaultpreemption`): as few and as unimportant ones as will do, on one node, budgets honoured where they can be. Pure.
 */
import { matchesLabels, selectorOf } from "../../api/selectors.ts";
import type { Node, Pod, PodDisruptionBudget } from "../../api/types.ts";
import { filterFor, helpsToEvict } from "./filters.ts";
import { nodeName, type SchedulingView } from "./view.ts";

export type PreemptionPlan =
  /** Nobody is less important, or the pod's class says `preemptionPolicy: Never`. */
  | { readonly kind: "notTried" }
  /** `message`: as upstream ends FailedScheduling. */
  | { readonly kind: "noHelp"; readonly message: string }
  | { readonly kind: "evict"; readonly node: string; readonly victims: readonly Pod[] };

export const priorityOf = ({ spec }: Pod): number => spec?.priority ?? 0;

/** `reasons`: why each node refused it. */
export function planPreemption(pod: Pod, view: SchedulingView, reasons: ReadonlyMap<string, readonly string[]>): PreemptionPlan {
  if (pod.spec?.preemptionPolicy === "Never") return { kind: "notTried" };
  const isLess = (other: Pod) => priorityOf(other) < priorityOf(pod);
  if (!view.nodes.some((node) => view.placed(nodeName(node)).some(isLess))) return { kind: "notTried" };
  const nominated = pod.status?.nominatedNodeName ?? "";
  if (nominated !== "" && view.placed(nominated).some((other) => isLess(other) && other.metadata.deletionTimestamp !== undefined))
    return { kind: "noHelp", message: "preemption: not eligible due to a terminating pod on the nominated node." };
  const promising = view.nodes.filter((node) => helpsToEvict(reasons.get(nodeName(node)) ?? []));
  const candidates = promising.flatMap((node) => candidateOn(node, pod, view) ?? []);
  const [best] = candidates.sort(better);
  if (best !== undefined) return { kind: "evict", node: best.node, victims: best.victims };
  const unhelpful = view.nodes.length - promising.length;
  const counts = [
    ...(promising.length === 0 ? [] : [`${promising.length} No preemption victims found for incoming pod`]),
    ...(unhelpful === 0 ? [] : [`${unhelpful} Preemption is not helpful for scheduling`]),
  ];
  return { kind: "noHelp", message: `preemption: 0/${view.nodes.length} nodes are available: ${counts.join(", ")}.` };
}

interface Candidate {
  readonly node: string;
  /** The most important first. */
  readonly victims: readonly Pod[];
  /** How many of them a budget would keep. */
  readonly violations: number;
}

/** Without all less important pods it must fit; then each is let stay that may, those first that a budget keeps. */
function candidateOn(node: Node, pod: Pod, view: SchedulingView): Candidate | undefined {
  const name = nodeName(node);
  const placed = view.placed(name);
  const less = placed.filter((other) => priorityOf(other) < priorityOf(pod)).sort(moreImportant);
  const kept = new Set(placed.filter((other) => priorityOf(other) >= priorityOf(pod)));
  const fits = () => fitsWith(node, pod, view, kept);
  if (less.length === 0 || !fits()) return undefined;
  const violating = keptByBudgets(less, view.budgets());
  const staysIfItMay = (other: Pod): boolean => {
    kept.add(other);
    if (fits()) return true;
    kept.delete(other);
    return false;
  };
  const inOrder = [...less.filter((other) => violating.has(other)), ...less.filter((other) => !violating.has(other))];
  const victims = inOrder.filter((other) => !staysIfItMay(other)).sort(moreImportant);
  if (victims.length === 0) return undefined;
  return { node: name, victims, violations: victims.filter((victim) => violating.has(victim)).length };
}

/** Whether the pod fits when of the node's pods only these are left. */
function fitsWith(node: Node, pod: Pod, view: SchedulingView, kept: ReadonlySet<Pod>): boolean {
  const name = nodeName(node);
  const left = [...kept];
  const gone = new Set(view.placed(name).filter((other) => !kept.has(other)));
  const without: SchedulingView = {
    ...view,
    placed: (other) => (other === name ? left : view.placed(other)),
    avoiding: () => [...view.avoiding()].filter((other) => !gone.has(other)),
  };
  const waiting = view.nominated(name).filter((other) => isWaitedFor(other, pod));
  return filterFor(pod, without)(node, [...left, ...waiting]).length === 0;
}

/** The room that was made for a pod is not another's, unless that is more important. */
export function isWaitedFor(other: Pod, pod: Pod): boolean {
  return other.metadata.uid !== pod.metadata.uid && priorityOf(other) >= priorityOf(pod);
}

const startOf = ({ status, metadata }: Pod): string => status?.startTime ?? metadata.creationTimestamp ?? "";

/** Higher priority, then longer running. */
function moreImportant(a: Pod, b: Pod): number {
  return priorityOf(b) - priorityOf(a) || (startOf(a) < startOf(b) ? -1 : startOf(a) > startOf(b) ? 1 : 0);
}

/** Fewer budgets broken, a less important first victim, less importance in all, fewer victims, younger ones. */
function better(a: Candidate, b: Candidate): number {
  const highest = ({ victims }: Candidate) => priorityOf(victims[0] as Pod);
  const sum = ({ victims }: Candidate) => victims.reduce((total, victim) => total + priorityOf(victim), 0);
  const youngest = ({ victims }: Candidate) => startOf(victims[0] as Pod);
  return (
    a.violations - b.violations ||
    highest(a) - highest(b) ||
    sum(a) - sum(b) ||
    a.victims.length - b.victims.length ||
    (youngest(a) > youngest(b) ? -1 : youngest(a) < youngest(b) ? 1 : 0)
  );
}

/** Of these pods, in this order, those whose end one of their budgets does not allow any more. */
function keptByBudgets(pods: readonly Pod[], budgets: readonly PodDisruptionBudget[]): ReadonlySet<Pod> {
  const left = new Map(budgets.map((budget) => [budget, budget.status?.disruptionsAllowed ?? 0]));
  const kept = new Set<Pod>();
  for (const pod of pods) {
    for (const budget of budgets) {
      if (budget.metadata.namespace !== pod.metadata.namespace) continue;
      if (!matchesLabels(selectorOf(budget.spec?.selector), pod.metadata.labels ?? {})) continue;
      // One that the disruption controller has counted already.
      if (budget.status?.disruptedPods?.[pod.metadata.name ?? ""] !== undefined) continue;
      const allowed = (left.get(budget) ?? 0) - 1;
      left.set(budget, allowed);
      if (allowed < 0) kept.add(pod);
    }
  }
  return kept;
}
