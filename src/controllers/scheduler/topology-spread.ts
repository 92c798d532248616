/** `topologySpreadConstraints`: pods of one kind spread over zones or nodes (upstream `plugins/podtopologyspread/filtering.go`). Pure. */
import { matchesLabels, selectorOf, type LabelSelector } from "../../api/selectors.ts";
import type { Node, Pod, TopologySpreadConstraint } from "../../api/types.ts";
import { isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { tolerates, wantsNode } from "./node-affinity.ts";
import { nodeName, type NodeFilter, type SchedulingView } from "./view.ts";

const skewed = "node(s) didn't match pod topology spread constraints";
const unlabeled = `${skewed} (missing required label)`;

export function topologySpread(pod: Pod, view: SchedulingView): NodeFilter | undefined {
  const constraints = (pod.spec?.topologySpreadConstraints ?? []).filter(({ whenUnsatisfiable }) => whenUnsatisfiable === "DoNotSchedule");
  if (constraints.length === 0) return undefined;
  const keys = constraints.map(({ topologyKey }) => topologyKey);
  const spreads = constraints.map((constraint) => spreadOf(pod, constraint, keys, view));
  return (node) => {
    for (const { key, counts, least, self, maxSkew } of spreads) {
      const value = node.metadata.labels?.[key];
      if (value === undefined) return [unlabeled];
      if ((counts.get(value) ?? 0) + self - least > maxSkew) return [skewed];
    }
    return [];
  };
}

interface Spread {
  readonly key: string;
  readonly maxSkew: number;
  /** Matching pods per value of the key. */
  readonly counts: ReadonlyMap<string, number>;
  /** Of all values that count; 0 while there are fewer than `minDomains`. */
  readonly least: number;
  /** 1 when the pod itself matches. */
  readonly self: 0 | 1;
}

function spreadOf(pod: Pod, constraint: TopologySpreadConstraint, keys: readonly string[], view: SchedulingView): Spread {
  const { topologyKey: key, maxSkew, minDomains = 1 } = constraint;
  const selector = selectorWithKeys(pod, constraint);
  const counts = new Map<string, number>();
  for (const node of view.nodes) {
    const value = node.metadata.labels?.[key];
    const counted = keys.every((one) => node.metadata.labels?.[one] !== undefined);
    if (value === undefined || !counted || !isEligible(pod, node, constraint)) continue;
    counts.set(value, (counts.get(value) ?? 0) + matching(pod, selector, view.placed(nodeName(node))));
  }
  const least = counts.size < minDomains ? 0 : Math.min(...counts.values());
  return { key, maxSkew, counts, least, self: matchesLabels(selector, pod.metadata.labels ?? {}) ? 1 : 0 };
}

/** How many matching pods a value of the key has: for constraints that are only wishes. */
export function countsOf(pod: Pod, constraint: TopologySpreadConstraint, view: SchedulingView): ReadonlyMap<string, number> {
  return spreadOf(pod, constraint, [constraint.topologyKey], view).counts;
}

/** `matchLabelKeys`: pods of the same revision only (KEP-3243). */
function selectorWithKeys(pod: Pod, { labelSelector, matchLabelKeys = [] }: TopologySpreadConstraint): LabelSelector {
  const own = matchLabelKeys.flatMap((key) => {
    const value = pod.metadata.labels?.[key];
    return value === undefined ? [] : [{ key, operator: "In", values: [value] }];
  });
  return selectorOf(
    labelSelector === undefined ? undefined : { ...labelSelector, matchExpressions: [...(labelSelector.matchExpressions ?? []), ...own] },
  );
}

/** A node that the pod could not have anyway does not count, unless the constraint says so. */
function isEligible(
  pod: Pod,
  node: Node,
  { nodeAffinityPolicy = "Honor", nodeTaintsPolicy = "Ignore" }: TopologySpreadConstraint,
): boolean {
  if (nodeAffinityPolicy === "Honor" && !wantsNode(pod, node)) return false;
  if (nodeTaintsPolicy === "Ignore") return true;
  return (node.spec?.taints ?? []).every((taint) => taint.effect === "PreferNoSchedule" || tolerates(pod, taint));
}

function matching(pod: Pod, selector: LabelSelector, placed: readonly Pod[]): number {
  return placed.filter(
    (other) =>
      other.metadata.namespace === pod.metadata.namespace &&
      !isPodTerminating(other) &&
      matchesLabels(selector, other.metadata.labels ?? {}),
  ).length;
}
