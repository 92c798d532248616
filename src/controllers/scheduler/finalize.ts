/** Binds a pod to its node, or says on the pod why it has none. */
import { pods } from "../../api/resources.ts";
import type { Pod, PodCondition } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import { podCondition } from "../../decide/endpoints/pod-state.ts";
import { rfc3339 } from "../../lib/clock.ts";

export async function bindPod(client: Client, pod: Pod, node: string): Promise<void> {
  const { namespace, name = "", uid } = pod.metadata;
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }) };
  const binding = { apiVersion: "v1", kind: "Binding", metadata, target: { apiVersion: "v1", kind: "Node", name: node } };
  await client.post(pods, { namespace, name }, "binding", binding);
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
  const { namespace, name = "" } = pod.metadata;
  await client.patch(
    pods,
    { namespace, name },
    "application/strategic-merge-patch+json",
    { status: { conditions: [condition] } },
    { subresource: "status" },
  );
}
