/** Writes a node's conditions and taints, and that its pods do not serve. */
import { nodes, pods } from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import type { Node, Pod } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import { rfc3339 } from "../../lib/clock.ts";
import type { NodePlan } from "./reconcile.ts";

export interface NodeWriter {
  readonly client: Client;
  readonly recorder: EventRecorder;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export async function finalize(writer: NodeWriter, node: Node, plan: NodePlan): Promise<void> {
  const { client, recorder } = writer;
  const { name = "" } = node.metadata;
  let { resourceVersion } = node.metadata;
  if (plan.conditions !== undefined) {
    const written = await client.updateStatus(nodes, { ...node, status: { ...node.status, conditions: plan.conditions } });
    resourceVersion = written.metadata.resourceVersion;
    if (plan.lost) recorder.event(node, "Normal", "NodeNotReady", `Node ${name} status is now: NodeNotReady`);
  }
  // Endpoints leave before anything else is done about the node.
  for (const pod of plan.markNotReady) await markNotReady(writer, pod);
  if (plan.taints === undefined) return;
  // With the version, as the list is replaced as a whole: nobody's taint may be lost.
  await client.patch(nodes, { name }, "application/merge-patch+json", {
    metadata: { resourceVersion },
    spec: { taints: plan.taints.length === 0 ? null : plan.taints },
  });
}

async function markNotReady({ client, recorder, now }: NodeWriter, pod: Pod): Promise<void> {
  const { namespace, name = "" } = pod.metadata;
  const condition = { type: "Ready", status: "False", reason: "NodeNotReady", lastTransitionTime: rfc3339(now()) };
  try {
    const patch = { status: { conditions: [condition] } };
    await client.patch(pods, { namespace, name }, "application/strategic-merge-patch+json", patch, { subresource: "status" });
    recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready");
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
