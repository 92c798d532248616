/**
 * How workload controllers make, delete, adopt and release pods, with the Events that people know (upstream
 * `controller_utils.go` `RealPodControl`, `controller_ref_manager.go`).
 */
import type { KubeObject } from "../api/object.ts";
import { pods, type Resource } from "../api/resources.ts";
import { isNotFound } from "../api/status.ts";
import type { OwnerReference, Pod, PodTemplateSpec } from "../api/types.ts";
import type { Client } from "../client/client.ts";
import type { EventRecorder } from "../client/event-recorder.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Breather } from "./breather.ts";
import { adoptObject, controllerReference, releaseObject, type Claims } from "./claim.ts";
import { isNamespaceTerminating } from "./failures.ts";
import type { OwnWrites } from "./own-writes.ts";

export interface PodControl {
  readonly client: Client;
  readonly recorder: EventRecorder;
  readonly ownPods: OwnWrites<Pod>;
  readonly breather: Breather;
}

/** Why pods could not be made or deleted. */
export interface ReplicaFailure {
  readonly reason: "FailedCreate" | "FailedDelete";
  readonly message: string;
}

/** The pod that `owner` makes of a template; the server gives it the rest of its name. */
export function podFromTemplate(owner: KubeObject, template: PodTemplateSpec | undefined, reference: OwnerReference): Pod {
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  const { name, namespace } = owner.metadata;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: `${name}-`,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [reference],
    },
    ...(template?.spec === undefined ? {} : { spec: template.spec }),
  };
}

/** Adopts and releases as `claim` said. */
export async function claimPods(
  { client, ownPods }: Pick<PodControl, "client" | "ownPods">,
  owner: KubeObject,
  resource: Resource<KubeObject>,
  { adopt, release }: Pick<Claims<Pod>, "adopt" | "release">,
): Promise<void> {
  if (adopt.length > 0) await assertAlive(client, resource, owner);
  for (const pod of adopt) ownPods.wrote(await adoptObject(client, pods, pod, controllerReference(owner, resource)));
  for (const pod of release) {
    try {
      ownPods.wrote(await releaseObject(client, pods, pod, owner.metadata.uid ?? ""));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      ownPods.deleted(pod);
    }
  }
}

/** The copy may be old: a pod adopted by an owner that is gone would be collected as garbage. */
export async function assertAlive(client: Client, resource: Resource<KubeObject>, owner: KubeObject): Promise<void> {
  const { namespace, name = "", uid } = owner.metadata;
  const live = await client.get(resource, { namespace, name });
  if (live.metadata.uid !== uid || live.metadata.deletionTimestamp !== undefined)
    throw new Error(`${resource.kind} ${namespace}/${name} is gone or going`);
}

/**
 * Makes the pods in batches of 1, 2, 4, …: where pods cannot be made (a quota, a bad template) that costs one failed
 * request, not all of them (upstream `slowStartBatch`).
 */
export async function createPods(control: PodControl, owner: KubeObject, wanted: readonly Pod[]): Promise<ReplicaFailure | undefined> {
  for (let done = 0, batch = 1; done < wanted.length; done += batch, batch = Math.min(batch * 2, wanted.length - done)) {
    const results = await settleAll(control, wanted.slice(done, done + batch), (pod) => createPod(control, owner, pod));
    const failed = results.find((result) => result.status === "rejected");
    if (failed === undefined) continue;
    if (isNamespaceTerminating(failed.reason)) return undefined;
    return { reason: "FailedCreate", message: errorMessage(failed.reason) };
  }
  return undefined;
}

/** So many writes on their way at once: enough for the store to commit together, few enough for others to get their turn. */
const atOnce = 16;

async function settleAll(
  { breather }: Pick<PodControl, "breather">,
  pods: readonly Pod[],
  write: (pod: Pod) => Promise<void>,
): Promise<readonly PromiseSettledResult<void>[]> {
  const results: PromiseSettledResult<void>[] = [];
  for (let done = 0; done < pods.length; done += atOnce) {
    results.push(...(await Promise.allSettled(pods.slice(done, done + atOnce).map(write))));
    await breather.pause();
  }
  return results;
}

async function createPod({ client, recorder, ownPods }: PodControl, owner: KubeObject, pod: Pod): Promise<void> {
  try {
    const created = await client.create(pods, pod);
    ownPods.wrote(created);
    recorder.event(owner, "Normal", "SuccessfulCreate", `Created pod: ${created.metadata.name}`);
  } catch (error) {
    if (!isNamespaceTerminating(error)) recorder.event(owner, "Warning", "FailedCreate", `Error creating: ${errorMessage(error)}`);
    throw error;
  }
}

export async function deletePods(control: PodControl, owner: KubeObject, remove: readonly Pod[]): Promise<ReplicaFailure | undefined> {
  const results = await settleAll(control, remove, (pod) => deletePod(control, owner, pod));
  const failed = results.find((result) => result.status === "rejected");
  return failed === undefined ? undefined : { reason: "FailedDelete", message: errorMessage(failed.reason) };
}

async function deletePod(control: PodControl, owner: KubeObject, pod: Pod): Promise<void> {
  const { name = "" } = pod.metadata;
  try {
    if (await removePod(control, pod)) control.recorder.event(owner, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
  } catch (error) {
    control.recorder.event(owner, "Warning", "FailedDelete", `Error deleting: ${errorMessage(error)}`);
    throw error;
  }
}

/** False: it was gone already. */
export async function removePod({ client, ownPods }: Pick<PodControl, "client" | "ownPods">, pod: Pod): Promise<boolean> {
  const { namespace, name = "", uid } = pod.metadata;
  try {
    await client.delete(pods, { namespace, name }, uid === undefined ? {} : { preconditions: { uid } });
    ownPods.deleted(pod);
    return true;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    ownPods.deleted(pod);
    return false;
  }
}
