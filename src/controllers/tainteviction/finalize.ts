/** Deletes a pod that a taint drives off its node. */
import { objectKey } from "../../api/object.ts";
import { pods } from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import type { Pod } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import { rfc3339 } from "../../lib/clock.ts";

export async function evict(client: Client, recorder: EventRecorder, pod: Pod, now: number): Promise<void> {
  const { namespace, name = "", uid } = pod.metadata;
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "DeletionByTaintManager",
    message: "Taint manager: deleting due to NoExecute taint",
    lastTransitionTime: rfc3339(now),
  };
  try {
    const patch = { status: { conditions: [condition] } };
    await client.patch(pods, { namespace, name }, "application/strategic-merge-patch+json", patch, { subresource: "status" });
    recorder.event(pod, "Normal", "TaintManagerEviction", `Marking for deletion Pod ${objectKey(pod)}`);
    await client.delete(pods, { namespace, name }, uid === undefined ? {} : { preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
