/** Which pods a rolling update replaces now: from the highest ordinal down to the partition (`updateStatefulSetAfterInvariantEstablished`). */
import { scaledValue } from "../../api/int-or-string.ts";
import type { Pod, StatefulSet } from "../../api/types.ts";
import { isPodAvailable, isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { revisionOf } from "./identity.ts";
import type { StatefulSetInput } from "./reconcile.ts";

/** A pod that should be there; undefined: it is not, and counts as away. */
type Replica = Pod | undefined;

/** `replicas`: lowest ordinal first. */
export function podsToUpdate(input: StatefulSetInput, replicas: readonly Replica[]): readonly Pod[] {
  const { type = "RollingUpdate", rollingUpdate } = input.set.spec?.updateStrategy ?? {};
  if (type === "OnDelete") return [];
  const most = maxUnavailable(input.set, replicas.length);
  const downward = replicas.slice(rollingUpdate?.partition ?? 0).reverse();
  return most > 1 ? severalAtOnce(input, replicas, downward, most) : oneAtATime(input, downward);
}

/** Rounded down, but one is always allowed, or nothing would ever move. */
function maxUnavailable({ spec }: StatefulSet, replicas: number): number {
  const value = spec?.updateStrategy?.rollingUpdate?.maxUnavailable;
  return value === undefined ? 1 : Math.max(1, scaledValue(value, replicas, false));
}

/** The first outdated pod; but whoever above it does not serve yet is waited for. */
function oneAtATime(input: StatefulSetInput, downward: readonly Replica[]): readonly Pod[] {
  for (const pod of downward) {
    if (pod !== undefined && isOutdated(input, pod)) return [pod];
    if (isAway(input, pod)) return [];
  }
  return [];
}

function severalAtOnce(input: StatefulSetInput, replicas: readonly Replica[], downward: readonly Replica[], most: number): readonly Pod[] {
  const away = replicas.filter((pod) => isAway(input, pod));
  const outdated = downward.filter((pod): pod is Pod => pod !== undefined && isOutdated(input, pod));
  // One that does not serve anyway costs nothing.
  const free = outdated.filter((pod) => isAway(input, pod));
  const serving = outdated.filter((pod) => !isAway(input, pod));
  return [...free, ...serving.slice(0, Math.max(0, most - away.length))];
}

const isOutdated = ({ update }: StatefulSetInput, pod: Pod): boolean => revisionOf(pod) !== update.metadata.name && !isPodTerminating(pod);

const isAway = ({ set, now }: StatefulSetInput, pod: Replica): boolean =>
  pod === undefined ||
  isPodTerminating(pod) ||
  pod.status?.phase !== "Running" ||
  !isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, now);
