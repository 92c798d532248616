/** On which node a pod goes (upstream `pkg/scheduler/schedule_one.go`), thin: filters, then the node with the fewest pods. Pure. */
import type { Node, Pod } from "../../api/types.ts";
import { reasonsAgainst } from "./filters.ts";

export type SchedulingPlan =
  | { readonly kind: "bind"; readonly node: string }
  /** `message` as upstream's FailedScheduling. */
  | { readonly kind: "unschedulable"; readonly message: string }
  | { readonly kind: "gated"; readonly message: string }
  /** Another scheduler's, placed already, or going. */
  | { readonly kind: "notOurs" };

export const schedulerName = "default-scheduler";

/** `placed`: pods on a node that are not finished. `random` in [0, 1) decides between nodes with as many pods. */
export function planScheduling(
  pod: Pod,
  nodes: readonly Node[],
  placed: (node: string) => readonly Pod[],
  random: () => number,
): SchedulingPlan {
  const { nodeName = "", schedulerName: wanted = schedulerName, schedulingGates = [] } = pod.spec ?? {};
  if (nodeName !== "" || wanted !== schedulerName || pod.metadata.deletionTimestamp !== undefined) return { kind: "notOurs" };
  if (schedulingGates.length > 0) return { kind: "gated", message: "Scheduling is blocked due to non-empty scheduling gates" };
  if (nodes.length === 0) return { kind: "unschedulable", message: "no nodes available to schedule pods" };
  const verdicts = nodes.map((node) => {
    const onNode = placed(node.metadata.name ?? "");
    return { node, pods: onNode.length, reasons: reasonsAgainst(pod, node, onNode), lot: random() };
  });
  const [best] = verdicts.filter(({ reasons }) => reasons.length === 0).sort((a, b) => a.pods - b.pods || a.lot - b.lot);
  if (best !== undefined) return { kind: "bind", node: best.node.metadata.name ?? "" };
  return { kind: "unschedulable", message: failureMessage(verdicts) };
}

/** `0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.` */
function failureMessage(verdicts: readonly { readonly reasons: readonly string[] }[]): string {
  const counts = new Map<string, number>();
  for (const reason of verdicts.flatMap(({ reasons }) => reasons)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const texts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${verdicts.length} nodes are available: ${texts.join(", ")}.`;
}
