/** One pass over a DaemonSet: which nodes lack its pod, and which pods must go (upstream `daemon_controller.go` `manage`). Pure. */
import type { DaemonSetStatus, Pod } from "../../api/types.ts";
import { isPodAvailable, isPodFinished, isPodReady, isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { positive } from "../counts.ts";
import { isOutdated, surges, type DaemonSetInput, type Place } from "./input.ts";
import { nodeOf, placementOn } from "./placement.ts";
import { planUpdate } from "./update.ts";

export interface DaemonSetPlan {
  /** Nodes to make a pod for. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
  /** Of those removed: pods that ended, which an Event tells. */
  readonly ended: readonly Pod[];
  readonly status: DaemonSetStatus;
}

export function planDaemonSet(input: DaemonSetInput): DaemonSetPlan {
  const { set, pods } = input;
  const places = placesOf(input);
  const status = daemonSetStatus(input, places);
  if (set.metadata.deletionTimestamp !== undefined) return { create: [], remove: [], ended: [], status };
  const known = new Set(places.map(({ node }) => node));
  const homeless = pods.filter((pod) => (pod.spec?.nodeName ?? "") === "" && !known.has(nodeOf(pod)) && !isPodTerminating(pod));
  const manage = places.map((place) => managePlace(input, place));
  const update = planUpdate(input, places);
  const create = [...manage.flatMap(({ missing }) => missing), ...update.create];
  const remove = [...homeless, ...manage.flatMap(({ surplus }) => surplus), ...update.remove];
  return { create: [...new Set(create)], remove: [...new Set(remove)], ended: remove.filter(isPodFinished), status };
}

function placesOf({ set, nodes, pods }: DaemonSetInput): readonly Place[] {
  const byNode = Map.groupBy(pods, nodeOf);
  return nodes.map((node) => {
    const name = node.metadata.name ?? "";
    return { node: name, placement: placementOn(set, node), pods: byNode.get(name) ?? [] };
  });
}

interface Managed {
  readonly missing: readonly string[];
  readonly surplus: readonly Pod[];
}

function managePlace({ set, hash }: DaemonSetInput, { node, placement, pods }: Place): Managed {
  if (!placement.mayStay && !placement.should) return { missing: [], surplus: pods.filter((pod) => !isPodTerminating(pod)) };
  if (placement.should && pods.length === 0) return { missing: [node], surplus: [] };
  const ended = pods.filter((pod) => isPodFinished(pod) && !isPodTerminating(pod));
  const running = pods.filter((pod) => !isPodFinished(pod) && !isPodTerminating(pod));
  return { missing: [], surplus: [...ended, ...extras(running, surges(set), hash)] };
}

/** Two pods on one node: the oldest stays; while a new one surges, one of each template. */
function extras(running: readonly Pod[], surging: boolean, hash: string): readonly Pod[] {
  const oldest = [...running].sort(byAge);
  if (!surging) return oldest.slice(1);
  const [old, fresh] = [oldest.filter((pod) => isOutdated(pod, hash)), oldest.filter((pod) => !isOutdated(pod, hash))];
  return [...old.slice(1), ...fresh.slice(1)];
}

/** A pod that has a node is older than one that has none. */
function byAge(a: Pod, b: Pod): number {
  const placed = (pod: Pod) => Number((pod.spec?.nodeName ?? "") !== "");
  return (
    placed(b) - placed(a) ||
    (a.metadata.creationTimestamp ?? "").localeCompare(b.metadata.creationTimestamp ?? "") ||
    (a.metadata.name ?? "").localeCompare(b.metadata.name ?? "")
  );
}

function daemonSetStatus({ set, hash, now }: DaemonSetInput, places: readonly Place[]): DaemonSetStatus {
  const wanted = places.filter(({ placement }) => placement.should);
  const minReady = set.spec?.minReadySeconds ?? 0;
  // Where there are two, the oldest is the one that is looked at, as upstream does.
  const first = wanted.flatMap(({ pods }) => [...pods].sort(byAge).slice(0, 1));
  const available = first.filter((pod) => isPodReady(pod) && isPodAvailable(pod, minReady, now)).length;
  return {
    currentNumberScheduled: first.length,
    numberMisscheduled: places.filter(({ placement, pods }) => !placement.should && pods.length > 0).length,
    desiredNumberScheduled: wanted.length,
    numberReady: first.filter(isPodReady).length,
    observedGeneration: set.metadata.generation ?? 0,
    ...positive("updatedNumberScheduled", wanted.filter(({ pods }) => pods.some((pod) => !isOutdated(pod, hash))).length),
    ...positive("numberAvailable", available),
    ...positive("numberUnavailable", wanted.length - available),
    ...positive("collisionCount", set.status?.collisionCount ?? 0),
  };
}
