/** Binds a pod to its node, or says on the pod why it has none. */
import { objectKey } from "../../api/object.ts";
import { pods } from "../../api/resources.ts";
import { isConflict, isNotFound } from "../../api/status.ts";
import type { Pod, PodCondition } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import { podCondition } from "../../decide/endpoints/pod-state.ts";
import { rfc3339 } from "../../lib/clock.ts";
import { schedulerName } from "./reconcile.ts";

export async function bindPod(client: Client, pod: Pod, node: string): Promise<void> {
  const { namespace, name = "", uid } = pod.metadata;
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }) };
  const binding = { apiVersion: "v1", kind: "Binding", metadata, target: { apiVersion: "v1", kind: "Node", name: node } };
  await client.post(pods, { namespace, name }, "binding", binding);
}

/** Makes room: the victims end as they would by anybody's deletion, and the node is kept for the pod. */
export async function preempt(
  client: Client,
  recorder: EventRecorder,
  pod: Pod,
  { node, victims }: { readonly node: string; readonly victims: readonly Pod[] },
  now: number,
): Promise<void> {
  await patchStatus(client, pod, { nominatedNodeName: node });
  const message = `${schedulerName}: preempting to accommodate a higher priority pod`;
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "PreemptionByScheduler",
    message,
    lastTransitionTime: rfc3339(now),
  };
  for (const victim of victims) {
    if (victim.metadata.deletionTimestamp !== undefined) continue;
    const { namespace, name = "", uid } = victim.metadata;
    try {
      await patchStatus(client, victim, { conditions: [condition] });
      await client.delete(pods, { namespace, name }, uid === undefined ? {} : { preconditions: { uid } });
      recorder.event(victim, "Normal", "Preempted", `Preempted by pod ${objectKey(pod)} on node ${node}`);
    } catch (error) {
      // Gone already, or another of its name.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }
}

async function patchStatus(client: Client, { metadata: { namespace, name = "" } }: Pod, status: Pod["status"]): Promise<void> {
  await client.patch(pods, { namespace, name }, "application/strategic-merge-patch+json", { status }, { subresource: "status" });
}

/** The condition PodScheduled=False; written only when it says something new. */
export async function reportNotScheduled(
  client: Client,
  pod: Pod,
  reason: "Unschedulable" | "SchedulingGated",
  message: string,
  now: number,
): Promise<void> {
  const current = podCondition(pod, "PodScheduled");
  if (current?.status === "False" && current.reason === reason && current.message === message) return;
  const lastTransitionTime = current?.status === "False" ? (current.lastTransitionTime ?? rfc3339(now)) : rfc3339(now);
  const condition: PodCondition = { type: "PodScheduled", status: "False", reason, message, lastTransitionTime };
  await patchStatus(client, pod, { conditions: [condition] });
}
