/**
 * Which of the nodes that fit is best: what the pod prefers, then the node with the fewest pods. Thinner than upstream's
 * scoring plugins, whose weights are made for large clusters. Pure.
 */
import type { Node, Pod, WeightedPodAffinityTerm } from "../../api/types.ts";
import { controllerOf } from "../claim.ts";
import { termMatches, tolerates } from "./node-affinity.ts";
import { matchesTerm } from "./pod-affinity.ts";
import { countsOf } from "./topology-spread.ts";
import { nodeName, type SchedulingView } from "./view.ts";

const preferredTerms = "preferredDuringSchedulingIgnoredDuringExecution";

/** More than any sum of weights that a pod gives its wishes: who is not welcome comes last. */
const notPreferred = 10_000;

export type NodeScore = (node: Node) => number;

/** The higher the better. */
export function scoreFor(pod: Pod, view: SchedulingView): NodeScore {
  const scores = [taints(pod), nodeWishes(pod), podWishes(pod, view), spreadWishes(pod, view), siblings(pod, view)].filter(
    (score) => score !== undefined,
  );
  return (node) => scores.reduce((sum, score) => sum + score(node), 0);
}

function taints(pod: Pod): NodeScore {
  return (node) => {
    const soft = (node.spec?.taints ?? []).filter((taint) => taint.effect === "PreferNoSchedule" && !tolerates(pod, taint));
    return -notPreferred * soft.length;
  };
}

/**
 * Pods of one controller go to different nodes and zones where nothing else is said, as by upstream's default constraints
 * (KEP-1258): a node that fails should not take them all.
 */
function siblings(pod: Pod, view: SchedulingView): NodeScore | undefined {
  const owner = controllerOf(pod)?.uid;
  if (owner === undefined || (pod.spec?.topologySpreadConstraints ?? []).length > 0) return undefined;
  const onNode = view.siblings(owner);
  const zones = new Map<string, number>();
  for (const node of view.nodes) zones.set(zoneOf(node), (zones.get(zoneOf(node)) ?? 0) + (onNode.get(nodeName(node)) ?? 0));
  return (node) => -(onNode.get(nodeName(node)) ?? 0) - (zoneOf(node) === "" ? 0 : (zones.get(zoneOf(node)) ?? 0) / 2);
}

const zoneOf = ({ metadata }: Node): string => metadata.labels?.["topology.kubernetes.io/zone"] ?? "";

function nodeWishes(pod: Pod): NodeScore | undefined {
  const wishes = pod.spec?.affinity?.nodeAffinity?.[preferredTerms] ?? [];
  if (wishes.length === 0) return undefined;
  return (node) => wishes.reduce((sum, { weight, preference }) => sum + (termMatches(preference, node) ? weight : 0), 0);
}

function podWishes(pod: Pod, view: SchedulingView): NodeScore | undefined {
  const near = pod.spec?.affinity?.podAffinity?.[preferredTerms] ?? [];
  const away = pod.spec?.affinity?.podAntiAffinity?.[preferredTerms] ?? [];
  if (near.length + away.length === 0) return undefined;
  const counts = [...near.map((wish) => wishCounts(pod, wish, 1, view)), ...away.map((wish) => wishCounts(pod, wish, -1, view))];
  return (node) => counts.reduce((sum, { key, weights }) => sum + (weights.get(node.metadata.labels?.[key] ?? "") ?? 0), 0);
}

/** What each value of the key is worth: the weight for each pod there that is meant. */
function wishCounts(pod: Pod, { weight, podAffinityTerm: term }: WeightedPodAffinityTerm, sign: 1 | -1, view: SchedulingView) {
  const weights = new Map<string, number>();
  for (const node of view.nodes) {
    const value = node.metadata.labels?.[term.topologyKey];
    if (value === undefined) continue;
    const count = view.placed(nodeName(node)).filter((other) => matchesTerm(pod, term, other, view)).length;
    weights.set(value, (weights.get(value) ?? 0) + sign * weight * count);
  }
  return { key: term.topologyKey, weights };
}

function spreadWishes(pod: Pod, view: SchedulingView): NodeScore | undefined {
  const wishes = (pod.spec?.topologySpreadConstraints ?? []).filter(({ whenUnsatisfiable }) => whenUnsatisfiable === "ScheduleAnyway");
  if (wishes.length === 0) return undefined;
  const counts = wishes.map((constraint) => ({ key: constraint.topologyKey, counts: countsOf(pod, constraint, view) }));
  return (node) =>
    counts.reduce((sum, { key, counts: found }) => {
      const value = node.metadata.labels?.[key];
      return sum - (value === undefined ? notPreferred : 100 * (found.get(value) ?? 0));
    }, 0);
}
