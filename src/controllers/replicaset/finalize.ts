/** Makes, deletes, adopts and releases the pods of a ReplicaSet, and writes its status. */
import { pods, replicaSets } from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import type { Pod, ReplicaSet, ReplicaSetStatus } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { errorMessage } from "../../lib/errors.ts";
import { adoptObject, controllerReference, releaseObject } from "../claim.ts";
import { isNamespaceTerminating } from "../failures.ts";
import type { OwnWrites } from "../own-writes.ts";
import { podFromTemplate, type ReplicaFailure, type ReplicaSetPlan } from "./reconcile.ts";

export interface ReplicaSetWriter {
  readonly client: Client;
  readonly recorder: EventRecorder;
  readonly ownPods: OwnWrites<Pod>;
  readonly ownSets: OwnWrites<ReplicaSet>;
}

export async function claimPods({ client, ownPods }: ReplicaSetWriter, set: ReplicaSet, { adopt, release }: ReplicaSetPlan): Promise<void> {
  if (adopt.length > 0) await assertAlive(client, set);
  for (const pod of adopt) ownPods.wrote(await adoptObject(client, pods, pod, controllerReference(set, replicaSets)));
  for (const pod of release) {
    try {
      ownPods.wrote(await releaseObject(client, pods, pod, set.metadata.uid ?? ""));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      ownPods.deleted(pod);
    }
  }
}

/** The copy may be old: a pod adopted by a set that is gone would be collected as garbage. */
async function assertAlive(client: Client, set: ReplicaSet): Promise<void> {
  const { namespace, name = "", uid } = set.metadata;
  const live = await client.get(replicaSets, { namespace, name });
  if (live.metadata.uid !== uid || live.metadata.deletionTimestamp !== undefined)
    throw new Error(`ReplicaSet ${namespace}/${name} is gone or going`);
}

/**
 * Makes `count` pods in batches of 1, 2, 4, …: where pods cannot be made (a quota, a bad template) that costs one failed
 * request, not `count` (upstream `slowStartBatch`).
 */
export async function createPods(writer: ReplicaSetWriter, set: ReplicaSet, count: number): Promise<ReplicaFailure | undefined> {
  const pod = podFromTemplate(set, controllerReference(set, replicaSets));
  for (let left = count, batch = 1; left > 0; left -= batch, batch = Math.min(batch * 2, left)) {
    const results = await Promise.allSettled(Array.from({ length: batch }, () => createPod(writer, set, pod)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed === undefined) continue;
    if (isNamespaceTerminating(failed.reason)) return undefined;
    return { reason: "FailedCreate", message: errorMessage(failed.reason) };
  }
  return undefined;
}

async function createPod({ client, recorder, ownPods }: ReplicaSetWriter, set: ReplicaSet, pod: Pod): Promise<void> {
  try {
    const created = await client.create(pods, pod);
    ownPods.wrote(created);
    recorder.event(set, "Normal", "SuccessfulCreate", `Created pod: ${created.metadata.name}`);
  } catch (error) {
    if (!isNamespaceTerminating(error)) recorder.event(set, "Warning", "FailedCreate", `Error creating: ${errorMessage(error)}`);
    throw error;
  }
}

export async function deletePods(writer: ReplicaSetWriter, set: ReplicaSet, remove: readonly Pod[]): Promise<ReplicaFailure | undefined> {
  const results = await Promise.allSettled(remove.map((pod) => deletePod(writer, set, pod)));
  const failed = results.find((result) => result.status === "rejected");
  return failed === undefined ? undefined : { reason: "FailedDelete", message: errorMessage(failed.reason) };
}

async function deletePod({ client, recorder, ownPods }: ReplicaSetWriter, set: ReplicaSet, pod: Pod): Promise<void> {
  const { namespace, name = "", uid } = pod.metadata;
  try {
    await client.delete(pods, { namespace, name }, uid === undefined ? {} : { preconditions: { uid } });
    ownPods.deleted(pod);
    recorder.event(set, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
  } catch (error) {
    if (isNotFound(error)) return ownPods.deleted(pod);
    recorder.event(set, "Warning", "FailedDelete", `Error deleting: ${errorMessage(error)}`);
    throw error;
  }
}

/** Written only when it says something new. */
export async function writeStatus({ client, ownSets }: ReplicaSetWriter, set: ReplicaSet, status: ReplicaSetStatus): Promise<void> {
  if (semanticEqual(set.status, status)) return;
  ownSets.wrote(await client.updateStatus(replicaSets, { ...set, status }));
}
