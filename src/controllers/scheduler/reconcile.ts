/** On which node a pod goes (upstream `pkg/scheduler/schedule_one.go`), filters, then what the pod prefers, then the fewest pods. Pure. */
import type { Node, Pod } from "../../api/types.ts";
import { filterFor } from "./filters.ts";
import { isWaitedFor, planPreemption } from "./preemption.ts";
import { scoreFor } from "./score.ts";
import { unboundClaims } from "./volumes.ts";
import { nodeName, type SchedulingView } from "./view.ts";

export type SchedulingPlan =
  | { readonly kind: "bind"; readonly node: string }
  /** `message` as upstream's FailedScheduling; `preempt`: these make room for it, and then it is tried again. */
  | {
      readonly kind: "unschedulable";
      readonly message: string;
      readonly preempt?: { readonly node: string; readonly victims: readonly Pod[] };
    }
  | { readonly kind: "gated"; readonly message: string }
  /** Another scheduler's, placed already, or going. */
  | { readonly kind: "notOurs" };

export const schedulerName = "default-scheduler";

/** `random` in [0, 1) decides between nodes that are equally good. */
export function planScheduling(pod: Pod, view: SchedulingView, random: () => number): SchedulingPlan {
  const { nodeName: placedOn = "", schedulerName: wanted = schedulerName, schedulingGates = [] } = pod.spec ?? {};
  if (placedOn !== "" || wanted !== schedulerName || pod.metadata.deletionTimestamp !== undefined) return { kind: "notOurs" };
  if (schedulingGates.length > 0) return { kind: "gated", message: "Scheduling is blocked due to non-empty scheduling gates" };
  if (view.nodes.length === 0) return { kind: "unschedulable", message: "no nodes available to schedule pods" };
  const waits = unboundClaims(pod, view);
  if (waits !== undefined) return { kind: "unschedulable", message: `0/${view.nodes.length} nodes are available: ${waits}.` };
  const filter = filterFor(pod, view);
  const verdicts = view.nodes.map((node) => {
    const placed = view.placed(nodeName(node));
    const waiting = view.nominated(nodeName(node)).filter((other) => isWaitedFor(other, pod));
    return { node, pods: placed.length, reasons: filter(node, waiting.length === 0 ? placed : [...placed, ...waiting]) };
  });
  const fitting = verdicts.filter(({ reasons }) => reasons.length === 0);
  if (fitting.length === 0) return unschedulable(pod, view, verdicts);
  const score = fitting.length === 1 ? () => 0 : scoreFor(pod, view);
  const [best] = fitting
    .map(({ node, pods }) => ({ name: nodeName(node), pods, score: score(node), lot: random() }))
    .sort((a, b) => b.score - a.score || a.pods - b.pods || a.lot - b.lot);
  return { kind: "bind", node: best?.name ?? "" };
}

function unschedulable(pod: Pod, view: SchedulingView, verdicts: readonly Verdict[]): SchedulingPlan {
  const message = failureMessage(verdicts);
  const preemption = planPreemption(pod, view, new Map(verdicts.map(({ node, reasons }) => [nodeName(node), reasons])));
  switch (preemption.kind) {
    case "notTried":
      return { kind: "unschedulable", message };
    case "noHelp":
      return { kind: "unschedulable", message: `${message} ${preemption.message}` };
    case "evict":
      return { kind: "unschedulable", message, preempt: { node: preemption.node, victims: preemption.victims } };
    default:
      return preemption satisfies never;
  }
}

interface Verdict {
  readonly node: Node;
  readonly reasons: readonly string[];
}

/** `0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.` */
function failureMessage(verdicts: readonly Verdict[]): string {
  const counts = new Map<string, number>();
  for (const reason of verdicts.flatMap(({ reasons }) => reasons)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const texts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${verdicts.length} nodes are available: ${texts.join(", ")}.`;
}
