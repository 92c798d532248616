/** Near to some pods, away from others (upstream `plugins/interpodaffinity/filtering.go`). Pure. */
import { matchesLabels, selectorOf } from "../../api/selectors.ts";
import type { LabelSelectorRequirement, Node, Pod, PodAffinityTerm } from "../../api/types.ts";
import { nodeName, type NodeFilter, type SchedulingView } from "./view.ts";

const noFriends = "node(s) didn't match pod affinity rules";
const foes = "node(s) didn't match pod anti-affinity rules";
const unwelcome = "node(s) didn't satisfy existing pods anti-affinity rules";

const requiredTerms = "requiredDuringSchedulingIgnoredDuringExecution";

export function podAffinity(pod: Pod, view: SchedulingView): NodeFilter | undefined {
  const near = pod.spec?.affinity?.podAffinity?.[requiredTerms] ?? [];
  const away = pod.spec?.affinity?.podAntiAffinity?.[requiredTerms] ?? [];
  const avoided = placesThatAvoid(pod, view);
  if (near.length + away.length + avoided.size === 0) return undefined;
  const friends = near.length === 0 ? undefined : placesOfFriends(pod, near, view);
  const hostile = away.map((term) => ({ term, places: placesOf(view, (other) => matchesTerm(pod, term, other, view), [term]) }));
  return (node) => {
    if (friends !== undefined && !hasFriends(pod, near, friends, node, view)) return [noFriends];
    if (hostile.some(({ term, places }) => places.has(placeOf(node, term)))) return [foes];
    return [...avoided].some((place) => isAt(node, place)) ? [unwelcome] : [];
  };
}

/** `zone=a`: nodes with this label are one place. Nodes without it are none. */
function placeOf(node: Node, { topologyKey }: PodAffinityTerm): string {
  const value = node.metadata.labels?.[topologyKey];
  return value === undefined ? "" : `${topologyKey}=${value}`;
}

function isAt({ metadata }: Node, place: string): boolean {
  const at = place.indexOf("=");
  return metadata.labels?.[place.slice(0, at)] === place.slice(at + 1);
}

/** The places, by each of the terms' keys, of the nodes that have a pod of this kind. */
function placesOf(view: SchedulingView, isOne: (pod: Pod) => boolean, terms: readonly PodAffinityTerm[]): ReadonlySet<string> {
  const places = new Set<string>();
  for (const node of view.nodes) {
    if (!view.placed(nodeName(node)).some(isOne)) continue;
    for (const term of terms) if (placeOf(node, term) !== "") places.add(placeOf(node, term));
  }
  return places;
}

/** A friend meets all terms at once. */
function placesOfFriends(pod: Pod, terms: readonly PodAffinityTerm[], view: SchedulingView): ReadonlySet<string> {
  return placesOf(view, (other) => terms.every((term) => matchesTerm(pod, term, other, view)), terms);
}

/** The first of a group that wants to be together has nobody to be near to: it may go anywhere where its keys are. */
function hasFriends(pod: Pod, terms: readonly PodAffinityTerm[], friends: ReadonlySet<string>, node: Node, view: SchedulingView): boolean {
  const places = terms.map((term) => placeOf(node, term));
  if (places.includes("")) return false;
  if (places.every((place) => friends.has(place))) return true;
  return friends.size === 0 && terms.every((term) => matchesTerm(pod, term, pod, view));
}

/** Places whose pods do not want this one near them. */
function placesThatAvoid(pod: Pod, view: SchedulingView): ReadonlySet<string> {
  const places = new Set<string>();
  const nodes = new Map<string, Node>();
  for (const other of view.avoiding()) {
    if (nodes.size === 0) for (const node of view.nodes) nodes.set(nodeName(node), node);
    const node = nodes.get(other.spec?.nodeName ?? "");
    for (const term of other.spec?.affinity?.podAntiAffinity?.[requiredTerms] ?? []) {
      const place = node === undefined ? "" : placeOf(node, term);
      if (place !== "" && matchesTerm(other, term, pod, view)) places.add(place);
    }
  }
  return places;
}

/** Whether `other` is one of those that a term of `pod` is about. */
export function matchesTerm(pod: Pod, term: PodAffinityTerm, other: Pod, view: SchedulingView): boolean {
  return (
    matchesNamespace(pod, term, other.metadata.namespace ?? "", view) &&
    matchesLabels(selectorOf(selectorFor(pod, term)), other.metadata.labels ?? {})
  );
}

function matchesNamespace(
  pod: Pod,
  { namespaces = [], namespaceSelector }: PodAffinityTerm,
  namespace: string,
  view: SchedulingView,
): boolean {
  if (namespaces.includes(namespace)) return true;
  if (namespaceSelector !== undefined) return matchesLabels(selectorOf(namespaceSelector), view.namespaceLabels(namespace));
  return namespaces.length === 0 && namespace === pod.metadata.namespace;
}

/** `matchLabelKeys` and `mismatchLabelKeys`: of the same, or of another, revision or tenant (KEP-3633). */
function selectorFor(pod: Pod, { labelSelector, matchLabelKeys = [], mismatchLabelKeys = [] }: PodAffinityTerm) {
  if (labelSelector === undefined || matchLabelKeys.length + mismatchLabelKeys.length === 0) return labelSelector;
  const requirement =
    (operator: string) =>
    (key: string): LabelSelectorRequirement[] => {
      const value = pod.metadata.labels?.[key];
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    };
  const own = [...matchLabelKeys.flatMap(requirement("In")), ...mismatchLabelKeys.flatMap(requirement("NotIn"))];
  return { ...labelSelector, matchExpressions: [...(labelSelector.matchExpressions ?? []), ...own] };
}
