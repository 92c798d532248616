/** Which pods of a DaemonSet a rolling update replaces now (upstream `pkg/controller/daemon/update.go` `rollingUpdate`). Pure. */
import { scaledValue } from "../../api/int-or-string.ts";
import type { Pod } from "../../api/types.ts";
import { isPodAvailable, isPodFinished, isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { isOutdated, surges, type DaemonSetInput, type Place } from "./input.ts";

export interface UpdatePlan {
  /** Nodes that get a new pod beside their old one. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
}

export function planUpdate(input: DaemonSetInput, places: readonly Place[]): UpdatePlan {
  if (input.set.spec?.updateStrategy?.type === "OnDelete") return { create: [], remove: [] };
  const wanted = places.filter(({ placement }) => placement.should);
  return surges(input.set) ? surge(input, wanted) : replace(input, wanted);
}

/** The living pod of each template on a node. */
function pairOn({ hash }: DaemonSetInput, { pods }: Place): { readonly old: Pod | undefined; readonly fresh: Pod | undefined } {
  const living = pods.filter((pod) => !isPodTerminating(pod) && !isPodFinished(pod));
  return { old: living.find((pod) => isOutdated(pod, hash)), fresh: living.find((pod) => !isOutdated(pod, hash)) };
}

const isAvailable = ({ set, now }: DaemonSetInput, pod: Pod | undefined): boolean =>
  pod !== undefined && isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, now);

/** The old pod goes first: as many nodes at once as may be without. Old pods that do not serve anyway go at once. */
function replace(input: DaemonSetInput, wanted: readonly Place[]): UpdatePlan {
  const { maxUnavailable = 1 } = input.set.spec?.updateStrategy?.rollingUpdate ?? {};
  const most = scaledValue(maxUnavailable, wanted.length, true);
  const pairs = wanted.map((place) => pairOn(input, place));
  const away = pairs.filter(({ old, fresh }) => (old === undefined ? !isAvailable(input, fresh) : false)).length;
  const olds = pairs.flatMap(({ old, fresh }) => (old === undefined || fresh !== undefined ? [] : [old]));
  const useless = olds.filter((pod) => !isAvailable(input, pod));
  const serving = olds.filter((pod) => isAvailable(input, pod));
  return { create: [], remove: [...useless, ...serving.slice(0, Math.max(0, most - away))] };
}

/** The new pod comes first, on as many nodes at once as may have two; the old one goes when it serves. */
function surge(input: DaemonSetInput, wanted: readonly Place[]): UpdatePlan {
  const { maxSurge = 0 } = input.set.spec?.updateStrategy?.rollingUpdate ?? {};
  const most = scaledValue(maxSurge, wanted.length, true);
  const pairs = wanted.map((place) => ({ node: place.node, ...pairOn(input, place) }));
  const surging = pairs.filter(({ old, fresh }) => old !== undefined && fresh !== undefined && !isAvailable(input, fresh)).length;
  const done = pairs.flatMap(({ old, fresh }) => (old !== undefined && isAvailable(input, fresh) ? [old] : []));
  const waiting = pairs.filter(({ old, fresh }) => old !== undefined && fresh === undefined);
  const useless = waiting.filter(({ old }) => !isAvailable(input, old));
  const serving = waiting.filter(({ old }) => isAvailable(input, old)).slice(0, Math.max(0, most - surging));
  return { create: [...useless, ...serving].map(({ node }) => node), remove: done };
}
