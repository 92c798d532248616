/**
 * One pass over a StatefulSet: which pods to make, to delete and to wait for (upstream `stateful_set_control.go`
 * `updateStatefulSet`). With `OrderedReady` a pass does one thing and waits for it; with `Parallel` it does all at once. Pure.
 */
import type { ControllerRevision, Pod, StatefulSet, StatefulSetStatus } from "../../api/types.ts";
import { isPodAvailable, isPodFinished, isPodReady, isPodTerminating } from "../../decide/endpoints/pod-state.ts";
import { claimOwners, type ClaimOwner } from "./claim-retention.ts";
import { mended, ordinalOf, podOf } from "./identity.ts";
import { statefulSetStatus } from "./status.ts";
import { podsToUpdate } from "./update.ts";

export type StatefulSetStep =
  /** With the claims of its ordinal, which come first. */
  | { readonly kind: "create"; readonly ordinal: number; readonly pod: Pod }
  | { readonly kind: "delete"; readonly pod: Pod; readonly because: "scaled" | "outdated" | "finished" }
  /** Its labels are not those that it must have. */
  | { readonly kind: "mend"; readonly pod: Pod };

export interface StatefulSetPlan {
  readonly steps: readonly StatefulSetStep[];
  readonly status: StatefulSetStatus;
  /** Who the claims of each ordinal are to belong to, so that they go with it. */
  readonly claimOwners: readonly ClaimOwner[];
}

export interface StatefulSetInput {
  readonly set: StatefulSet;
  /** Those that it controls, by whatever ordinal. */
  readonly pods: readonly Pod[];
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function planStatefulSet(input: StatefulSetInput): StatefulSetPlan {
  const { set } = input;
  const slots = slotsOf(input);
  const status = statefulSetStatus(input, slots.all);
  if (set.metadata.deletionTimestamp !== undefined) return { steps: [], status, claimOwners: [] };
  const owners = claimOwners(set, slots.all);
  const { steps, settled } = advance(input, slots);
  if (!settled) return { steps, status, claimOwners: owners };
  const outdated = podsToUpdate(
    input,
    slots.replicas.map(({ pod }) => pod),
  );
  const deletes = outdated.map((pod): StatefulSetStep => ({ kind: "delete", pod, because: "outdated" }));
  return { steps: [...steps, ...deletes], status, claimOwners: owners };
}

/** The place of one ordinal: its pod, if there is one. */
interface Slot {
  readonly ordinal: number;
  readonly pod: Pod | undefined;
}

interface Slots {
  /** Those that should be there, lowest ordinal first. */
  readonly replicas: readonly Slot[];
  /** Pods beyond, highest ordinal first. */
  readonly condemned: readonly Pod[];
  /** Every pod of the set that has an ordinal. */
  readonly all: readonly Pod[];
}

export const firstOrdinal = (set: StatefulSet): number => set.spec?.ordinals?.start ?? 0;

function slotsOf({ set, pods }: StatefulSetInput): Slots {
  const byOrdinal = new Map(pods.flatMap((pod) => withOrdinal(set, pod)));
  const start = firstOrdinal(set);
  const replicas = Array.from({ length: set.spec?.replicas ?? 1 }, (_, index) => ({
    ordinal: start + index,
    pod: byOrdinal.get(start + index),
  }));
  const condemned = [...byOrdinal]
    .filter(([ordinal]) => ordinal < start || ordinal >= start + replicas.length)
    .sort(([a], [b]) => b - a)
    .map(([, pod]) => pod);
  return { replicas, condemned, all: [...byOrdinal.values()] };
}

function withOrdinal(set: StatefulSet, pod: Pod): readonly (readonly [number, Pod])[] {
  const ordinal = ordinalOf(set, pod);
  return ordinal === undefined ? [] : [[ordinal, pod]];
}

const isHealthy = (pod: Pod): boolean => pod.status?.phase === "Running" && isPodReady(pod) && !isPodTerminating(pod);

interface Advance {
  readonly steps: readonly StatefulSetStep[];
  /** All pods are there that should be, as far as the order asks for it: an update may go on. */
  readonly settled: boolean;
}

function advance(input: StatefulSetInput, { replicas, condemned, all }: Slots): Advance {
  const ordered = (input.set.spec?.podManagementPolicy ?? "OrderedReady") !== "Parallel";
  const steps: StatefulSetStep[] = [];
  for (const slot of replicas) {
    const step = stepFor(input, slot);
    if (step !== "wait" && step !== undefined) steps.push(step);
    const goesOn = step === undefined || (step !== "wait" && step.kind === "mend");
    if (ordered && !goesOn) return { steps, settled: false };
  }
  const sick = [...all].sort((a, b) => (ordinalOf(input.set, a) ?? 0) - (ordinalOf(input.set, b) ?? 0)).find((pod) => !isHealthy(pod));
  for (const pod of condemned) {
    // One that has ended will never serve again: upstream waits for it all the same, and two of them for ever.
    const waits = ordered && pod !== sick && !isPodFinished(pod) && !isAvailable(input, pod);
    if (ordered && (isPodTerminating(pod) || waits)) return { steps, settled: false };
    if (!isPodTerminating(pod)) steps.push({ kind: "delete", pod, because: "scaled" });
    if (ordered) return { steps, settled: false };
  }
  return { steps, settled: true };
}

/** `wait`: the pod is there, and the next one has to wait until it serves. */
function stepFor(input: StatefulSetInput, { ordinal, pod }: Slot): StatefulSetStep | "wait" | undefined {
  const { set } = input;
  if (pod === undefined) return { kind: "create", ordinal, pod: podOf(set, ordinal, revisionFor(input, ordinal)) };
  if (isPodTerminating(pod)) return "wait";
  if (isPodFinished(pod)) return { kind: "delete", pod, because: "finished" };
  if (!isAvailable(input, pod)) return "wait";
  const healed = mended(set, ordinal, pod);
  return healed === undefined ? undefined : { kind: "mend", pod: healed };
}

function isAvailable({ set, now }: StatefulSetInput, pod: Pod): boolean {
  return pod.status?.phase === "Running" && isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, now);
}

/** Below the partition a pod that must be made again is made as it was (`newVersionedStatefulSetPod`). */
function revisionFor({ set, current, update }: StatefulSetInput, ordinal: number): ControllerRevision {
  const { type = "RollingUpdate", rollingUpdate } = set.spec?.updateStrategy ?? {};
  const below = type === "RollingUpdate" && ordinal - firstOrdinal(set) < (rollingUpdate?.partition ?? 0);
  return below ? current : update;
}
