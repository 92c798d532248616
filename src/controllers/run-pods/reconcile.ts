/** Which pods of `fairlead run` are over. Pure. */
import type { Pod } from "../../api/types.ts";
import { isPodFinished } from "../../decide/endpoints/pod-state.ts";

/** On every pod that `fairlead run` makes. */
export const runLabel = "fairlead.dev/run";

export function isOver(pod: Pod): boolean {
  return pod.metadata.labels?.[runLabel] !== undefined && isPodFinished(pod);
}
