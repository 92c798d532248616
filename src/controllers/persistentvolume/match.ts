/** Which volume a claim can have (upstream `component-helpers/storage/volume/pv_helpers.go` `FindMatchingVolume`). Pure. */
import { compareQuantities, parseQuantity } from "../../api/quantity.ts";
import { matchesLabels, selectorOf } from "../../api/selectors.ts";
import type { PersistentVolume, PersistentVolumeClaim } from "../../api/types.ts";

/** The smallest volume that is enough; one that names the claim comes before all others. */
export function findVolume(claim: PersistentVolumeClaim, volumes: readonly PersistentVolume[]): PersistentVolume | undefined {
  const reserved = volumes.find((volume) => isReservedFor(volume, claim));
  if (reserved !== undefined) return reserved;
  return volumes.filter((volume) => isFree(volume) && fits(volume, claim)).sort(bySize)[0];
}

/** `claimRef` names the claim, by uid or, set by hand, without one. */
export function isReservedFor({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const reference = spec?.claimRef;
  if (reference === undefined || reference.name !== metadata.name || reference.namespace !== metadata.namespace) return false;
  return (reference.uid ?? "") === "" || reference.uid === metadata.uid;
}

const isFree = ({ metadata, spec }: PersistentVolume): boolean => spec?.claimRef === undefined && metadata.deletionTimestamp === undefined;

function fits({ metadata, spec = {} }: PersistentVolume, { spec: wanted = {} }: PersistentVolumeClaim): boolean {
  return (
    (spec.storageClassName ?? "") === (wanted.storageClassName ?? "") &&
    (spec.volumeMode ?? "Filesystem") === (wanted.volumeMode ?? "Filesystem") &&
    (wanted.accessModes ?? []).every((mode) => spec.accessModes?.includes(mode)) &&
    (wanted.selector === undefined || matchesLabels(selectorOf(wanted.selector), metadata.labels ?? {})) &&
    isLargeEnough(spec.capacity?.["storage"], wanted.resources?.requests?.["storage"])
  );
}

function isLargeEnough(has: string | undefined, wants: string | undefined): boolean {
  const [size, request] = [parseQuantity(has ?? "0"), parseQuantity(wants ?? "0")];
  return size !== undefined && request !== undefined && compareQuantities(size, request) >= 0;
}

function bySize(a: PersistentVolume, b: PersistentVolume): number {
  const [left, right] = [a, b].map(({ spec }) => parseQuantity(spec?.capacity?.["storage"] ?? "0"));
  const order = left === undefined || right === undefined ? 0 : compareQuantities(left, right);
  return order || (a.metadata.name ?? "").localeCompare(b.metadata.name ?? "");
}
