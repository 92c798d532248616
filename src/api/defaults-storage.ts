/** What volumes and claims are when their author left it out (`pkg/apis/core/v1/defaults.go`): for claims and for claim templates. */
import type { Draft } from "./object.ts";
import type { PersistentVolumeClaim } from "./types.ts";

export function defaultClaim(claim: Draft<PersistentVolumeClaim>): void {
  (claim.status ??= {}).phase ||= "Pending";
  (claim.spec ??= {}).volumeMode ||= "Filesystem";
}
