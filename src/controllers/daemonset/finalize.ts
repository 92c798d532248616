/** Writes the status of a DaemonSet, and says which of its pods ended. */
import { daemonSets } from "../../api/resources.ts";
import type { DaemonSet, DaemonSetStatus, Pod } from "../../api/types.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import type { OwnWrites } from "../own-writes.ts";
import type { PodControl } from "../pod-control.ts";
import type { RevisionWriter } from "../revision-writer.ts";

export interface DaemonSetWriter extends PodControl, RevisionWriter {
  readonly ownSets: OwnWrites<DaemonSet>;
}

export function reportEnded({ recorder }: DaemonSetWriter, set: DaemonSet, ended: readonly Pod[]): void {
  for (const { metadata, spec, status } of ended) {
    const failed = status?.phase === "Failed";
    const what = `${failed ? "failed" : "succeeded"} daemon pod ${metadata.namespace}/${metadata.name} on node ${spec?.nodeName ?? ""}`;
    const [type, reason] = failed ? (["Warning", "FailedDaemonPod"] as const) : (["Normal", "SucceededDaemonPod"] as const);
    recorder.event(set, type, reason, `Found ${what}, will try to ${failed ? "kill" : "delete"} it`);
  }
}

/** Written only when it says something new. */
export async function writeStatus({ client, ownSets }: DaemonSetWriter, set: DaemonSet, status: DaemonSetStatus): Promise<void> {
  const next = { ...(set.status?.conditions === undefined ? {} : { conditions: set.status.conditions }), ...status };
  if (semanticEqual(set.status, next)) return;
  ownSets.wrote(await client.updateStatus(daemonSets, { ...set, status: next }));
}
