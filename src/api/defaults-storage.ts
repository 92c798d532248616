/** What volumes and claims are when their author left it out (`pkg/apis/core/v1/defaults.go`): also for claim templates. */
import type { Draft } from "./object.ts";
import type { PersistentVolume, PersistentVolumeClaim } from "./types.ts";

export function defaultClaim(claim: Draft<PersistentVolumeClaim>): void {
  (claim.status ??= {}).phase ||= "Pending";
  (claim.spec ??= {}).volumeMode ||= "Filesystem";
}

export function defaultVolume(volume: Draft<PersistentVolume>): void {
  (volume.status ??= {}).phase ||= "Pending";
  const spec = (volume.spec ??= {});
  spec.persistentVolumeReclaimPolicy ||= "Retain";
  spec.volumeMode ||= "Filesystem";
  if (spec.hostPath !== undefined) spec.hostPath.type ??= "";
}
