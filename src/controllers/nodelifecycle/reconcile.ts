/**
 * What a node's health makes of its conditions, its taints and its pods (upstream `pkg/controller/nodelifecycle`). Pure.
 */
import type { Node, NodeCondition, Pod, Taint } from "../../api/types.ts";
import { isPodReady, isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { rfc3339 } from "../../lib/clock.ts";

export interface NodePlan {
  /** All conditions, where some change; undefined: they stay. */
  readonly conditions: readonly NodeCondition[] | undefined;
  /** All taints, where some change. */
  readonly taints: readonly Taint[] | undefined;
  /** Pods that must count as not ready, so that their endpoints leave. */
  readonly markNotReady: readonly Pod[];
  /** The node has just become not ready. */
  readonly lost: boolean;
}

/** `silent`: not heard from for too long. `pods`: those on the node. */
export function planNode(node: Node, silent: boolean, pods: readonly Pod[], now: number): NodePlan {
  const before = node.status?.conditions ?? [];
  const conditions = silent ? unknown(before, node, now) : before;
  const ready = conditions.find(({ type }) => type === "Ready");
  const taints = wantedTaints(node, conditions, now);
  const away = ready !== undefined && ready.status !== "True";
  return {
    conditions: conditions === before ? undefined : conditions,
    taints: sameTaints(taints, node.spec?.taints ?? []) ? undefined : taints,
    markNotReady: away ? pods.filter((pod) => isPodReady(pod) && !isPodTerminating(pod)) : [],
    lost: away && before.find(({ type }) => type === "Ready")?.status === "True",
  };
}

const judged = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] as const;

/** Of a node that is silent nothing is known any more. */
function unknown(conditions: readonly NodeCondition[], node: Node, now: number): readonly NodeCondition[] {
  const known = judged.filter((type) => conditions.find((one) => one.type === type)?.status !== "Unknown");
  if (known.length === 0) return conditions;
  const time = rfc3339(now);
  const rest = conditions.filter(({ type }) => !known.some((one) => one === type));
  return [
    ...rest,
    ...known.map((type) =>
      unknownCondition(
        type,
        conditions.find((one) => one.type === type),
        node,
        time,
      ),
    ),
  ];
}

function unknownCondition(type: string, before: NodeCondition | undefined, { metadata }: Node, time: string): NodeCondition {
  const never = before === undefined;
  return {
    type,
    status: "Unknown",
    reason: never ? "NodeStatusNeverUpdated" : "NodeStatusUnknown",
    message: never ? "Kubelet never posted node status." : "Kubelet stopped posting node status.",
    lastHeartbeatTime: before?.lastHeartbeatTime ?? metadata.creationTimestamp ?? time,
    lastTransitionTime: time,
  };
}

const prefix = "node.kubernetes.io/";
const ownKeys = [
  "not-ready",
  "unreachable",
  "memory-pressure",
  "disk-pressure",
  "pid-pressure",
  "network-unavailable",
  "unschedulable",
].map((key) => prefix + key);

/** Taints that stand for conditions; those that others put on stay. */
function wantedTaints(node: Node, conditions: readonly NodeCondition[], now: number): readonly Taint[] {
  const status = (type: string) => conditions.find((condition) => condition.type === type)?.status;
  const ready = status("Ready");
  const wanted: Taint[] = [];
  const put = (key: string, effect: string) => wanted.push(kept(node, prefix + key, effect, now));
  if (ready === "False") for (const effect of ["NoSchedule", "NoExecute"]) put("not-ready", effect);
  if (ready === "Unknown") for (const effect of ["NoSchedule", "NoExecute"]) put("unreachable", effect);
  if (status("MemoryPressure") === "True") put("memory-pressure", "NoSchedule");
  if (status("DiskPressure") === "True") put("disk-pressure", "NoSchedule");
  if (status("PIDPressure") === "True") put("pid-pressure", "NoSchedule");
  if (status("NetworkUnavailable") === "True") put("network-unavailable", "NoSchedule");
  if (node.spec?.unschedulable === true) put("unschedulable", "NoSchedule");
  return [...(node.spec?.taints ?? []).filter(({ key }) => !ownKeys.includes(key)), ...wanted];
}

/** With the time at which it was put on. */
function kept(node: Node, key: string, effect: string, now: number): Taint {
  const present = node.spec?.taints?.find((taint) => taint.key === key && taint.effect === effect);
  return present ?? { key, effect, timeAdded: rfc3339(now) };
}

function sameTaints(a: readonly Taint[], b: readonly Taint[]): boolean {
  const shown = (taints: readonly Taint[]) =>
    taints
      .map(({ key, value = "", effect }) => `${key}=${value}:${effect}`)
      .sort()
      .join();
  return shown(a) === shown(b);
}
