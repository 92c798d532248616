/** A pod waits for its claims to have volumes (upstream `plugins/volumebinding`). Pure. */
import type { Pod } from "../../api/types.ts";
import type { SchedulingView } from "./view.ts";

/** Why the pod can be on no node yet; undefined: its claims are bound. */
export function unboundClaims({ metadata, spec }: Pod, view: SchedulingView): string | undefined {
  for (const { persistentVolumeClaim: volume } of spec?.volumes ?? []) {
    if (volume === undefined) continue;
    const claim = view.claim(metadata.namespace ?? "", volume.claimName);
    if (claim === undefined) return `persistentvolumeclaim ${JSON.stringify(volume.claimName)} not found`;
    if (claim.metadata.deletionTimestamp !== undefined) return `persistentvolumeclaim ${JSON.stringify(volume.claimName)} is being deleted`;
    if (claim.status?.phase === "Lost")
      return `persistentvolumeclaim ${JSON.stringify(volume.claimName)} bound to non-existent persistentvolume ${JSON.stringify(claim.spec?.volumeName ?? "")}`;
    if (claim.status?.phase !== "Bound") return "pod has unbound immediate PersistentVolumeClaims";
  }
  return undefined;
}
