/** On which nodes a DaemonSet runs (upstream `daemon_controller.go` `NodeShouldRunDaemonPod`). Pure. */
import { daemonSets } from "../../api/resources.ts";
import type { DaemonSet, Node, NodeSelectorTerm, Pod, PodSpec, Taint, Toleration } from "../../api/types.ts";
import { controllerReference } from "../claim.ts";
import { podFromTemplate } from "../pod-control.ts";
import { podRevisionLabel } from "../revision-history.ts";
import { tolerates, wantsNode } from "../scheduler/node-affinity.ts";

/** A daemon outlives a node that is not well: it may be what heals it (`util/daemonset_util.go` `AddOrUpdateDaemonPodTolerations`). */
const toleratedConditions: readonly (readonly [key: string, effect: string])[] = [
  ["not-ready", "NoExecute"],
  ["unreachable", "NoExecute"],
  ["disk-pressure", "NoSchedule"],
  ["memory-pressure", "NoSchedule"],
  ["pid-pressure", "NoSchedule"],
  ["unschedulable", "NoSchedule"],
];

export interface Placement {
  /** A pod belongs there. */
  readonly should: boolean;
  /** One that is there may stay. */
  readonly mayStay: boolean;
}

export function placementOn(set: DaemonSet, node: Node): Placement {
  const { name = "" } = node.metadata;
  const pod: Pod = { metadata: {}, spec: withTolerations(set.spec?.template.spec ?? { containers: [] }) };
  const fixed = pod.spec?.nodeName ?? "";
  if ((fixed !== "" && fixed !== name) || !wantsNode(pod, node)) return { should: false, mayStay: false };
  const refused = (node.spec?.taints ?? []).filter((taint) => isHard(taint) && !tolerates(pod, taint));
  return { should: refused.length === 0, mayStay: refused.every(({ effect }) => effect !== "NoExecute") };
}

const isHard = ({ effect }: Taint): boolean => effect === "NoSchedule" || effect === "NoExecute";

function withTolerations(spec: PodSpec): PodSpec {
  const network: readonly (readonly [string, string])[] = spec.hostNetwork === true ? [["network-unavailable", "NoSchedule"]] : [];
  const wanted = [...toleratedConditions, ...network].map(([key, effect]): Toleration => ({
    key: `node.kubernetes.io/${key}`,
    operator: "Exists",
    effect,
  }));
  const present = spec.tolerations ?? [];
  const missing = wanted.filter(
    (one) => !present.some(({ key, operator, effect }) => key === one.key && operator === "Exists" && effect === one.effect),
  );
  return { ...spec, tolerations: [...present, ...missing] };
}

/** The pod for one node: the scheduler still places it, so that it counts what the node has. */
export function daemonPod(set: DaemonSet, node: string, hash: string, generation: string): Pod {
  const pod = podFromTemplate(set, set.spec?.template, controllerReference(set, daemonSets));
  const labels = { ...pod.metadata.labels, [podRevisionLabel]: hash, "pod-template-generation": generation };
  const spec = withTolerations(pod.spec ?? { containers: [] });
  return { ...pod, metadata: { ...pod.metadata, labels }, spec: { ...spec, affinity: onlyOn(spec.affinity, node) } };
}

/** What the author asked of a node has been answered by choosing it. */
function onlyOn(affinity: PodSpec["affinity"], node: string): NonNullable<PodSpec["affinity"]> {
  const term: NodeSelectorTerm = { matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] };
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } };
  return { ...affinity, nodeAffinity: { ...affinity?.nodeAffinity, ...required } };
}

/** The node that a pod is on or is meant for. */
export function nodeOf(pod: Pod): string {
  const { nodeName = "", affinity } = pod.spec ?? {};
  if (nodeName !== "") return nodeName;
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const field = terms
    .flatMap(({ matchFields = [] }) => matchFields)
    .find(({ key, operator }) => key === "metadata.name" && operator === "In");
  return field?.values?.[0] ?? "";
}
