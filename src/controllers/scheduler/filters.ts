/**
 * Whether a node can take a pod, and if not, why: upstream's filter plugins with upstream's words, since people and
 * tools know them (`pkg/scheduler/framework/plugins`).
 */
import type { Node, Pod, Taint } from "../../api/types.ts";
import { tolerates, wantsNode } from "./node-affinity.ts";
import { podAffinity } from "./pod-affinity.ts";
import { insufficient } from "./resources.ts";
import { topologySpread } from "./topology-spread.ts";
import type { FilterPlugin, NodeFilter, SchedulingView } from "./view.ts";

/** Judges nodes for one pod; the first filter that objects speaks, in upstream's order. */
export function filterFor(pod: Pod, view: SchedulingView): NodeFilter {
  const filters = plugins.flatMap((plugin) => plugin(pod, view) ?? []);
  return (node, placed) => {
    for (const filter of filters) {
      const reasons = filter(node, placed);
      if (reasons.length > 0) return reasons;
    }
    return [];
  };
}

/** What no pod's end changes (upstream's UnschedulableAndUnresolvable). */
const lasting = [
  /^node\(s\) were unschedulable$/,
  /^node\(s\) had untolerated taint /,
  /^node\(s\) didn't match Pod's node affinity/,
  /required label/,
];

/** Whether a node that refused for these reasons might take the pod when others leave it. */
export function helpsToEvict(reasons: readonly string[]): boolean {
  return !reasons.some((reason) => lasting.some((pattern) => pattern.test(reason)));
}

type SimpleFilter = (pod: Pod, node: Node, placed: readonly Pod[]) => readonly string[];

const simple =
  (filter: SimpleFilter): FilterPlugin =>
  (pod) =>
  (node, placed) =>
    filter(pod, node, placed);

const plugins: readonly FilterPlugin[] = [
  simple(nodeUnschedulable),
  simple(taintToleration),
  simple(nodeAffinity),
  simple(nodePorts),
  simple(insufficient),
  topologySpread,
  podAffinity,
];

const unschedulableTaint: Taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };
const notReadyTaint: Taint = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" };

function nodeUnschedulable(pod: Pod, node: Node): readonly string[] {
  return node.spec?.unschedulable === true && !tolerates(pod, unschedulableTaint) ? ["node(s) were unschedulable"] : [];
}

/** A node that is not Ready counts as tainted so: upstream's node controller would have put the taint on it. */
function taintToleration(pod: Pod, node: Node): readonly string[] {
  const taint = forbidding(node).find((each) => !tolerates(pod, each));
  return taint === undefined ? [] : [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`];
}

/** Objects are frozen, and every node is asked again for each pod. */
const forbiddingOf = new WeakMap<Node, readonly Taint[]>();

function forbidding(node: Node): readonly Taint[] {
  const known = forbiddingOf.get(node);
  if (known !== undefined) return known;
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
  const taints = [...(node.spec?.taints ?? []), ...(ready ? [] : [notReadyTaint])];
  const found = taints.filter(({ effect }) => effect === "NoSchedule" || effect === "NoExecute");
  forbiddingOf.set(node, found);
  return found;
}

function nodeAffinity(pod: Pod, node: Node): readonly string[] {
  return wantsNode(pod, node) ? [] : ["node(s) didn't match Pod's node affinity/selector"];
}

function nodePorts(pod: Pod, _node: Node, placed: readonly Pod[]): readonly string[] {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return [];
  const taken = placed.flatMap(hostPorts);
  return wanted.some((port) => taken.some((other) => clash(port, other)))
    ? ["node(s) didn't have free ports for the requested pod ports"]
    : [];
}

interface HostPort {
  readonly ip: string;
  readonly port: number;
  readonly protocol: string;
}

function hostPorts(pod: Pod): readonly HostPort[] {
  const anyAddress = (ip: string | undefined) => (ip === undefined || ip === "" ? "0.0.0.0" : ip);
  return (pod.spec?.containers ?? []).flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, hostIP, protocol = "TCP" }) =>
      hostPort === undefined || hostPort === 0 ? [] : [{ ip: anyAddress(hostIP), port: hostPort, protocol }],
    ),
  );
}

function clash(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === "0.0.0.0" || b.ip === "0.0.0.0");
}
