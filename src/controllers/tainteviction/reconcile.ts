/** When a pod must leave a node for its taints (upstream `pkg/controller/tainteviction`). Pure. */
import type { Node, Pod } from "../../api/types.ts";
import { isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { tolerationMatches } from "../scheduler/node-affinity.ts";

export type EvictionPlan =
  | { readonly kind: "stay" }
  /** It bears the taints for so many milliseconds from when they were first seen. */
  | { readonly kind: "leave"; readonly afterMs: number };

export function planEviction(pod: Pod, node: Node | undefined): EvictionPlan {
  const taints = (node?.spec?.taints ?? []).filter(({ effect }) => effect === "NoExecute");
  if (taints.length === 0 || isPodTerminating(pod)) return { kind: "stay" };
  const tolerations = pod.spec?.tolerations ?? [];
  const used = taints.map((taint) => tolerations.filter((toleration) => tolerationMatches(toleration, taint)));
  if (used.some((matching) => matching.length === 0)) return { kind: "leave", afterMs: 0 };
  const seconds = used.flat().flatMap(({ tolerationSeconds }) => tolerationSeconds ?? []);
  return seconds.length === 0 ? { kind: "stay" } : { kind: "leave", afterMs: Math.max(0, Math.min(...seconds)) * 1000 };
}
