/** Does the writes of one pass over a Deployment, in their order, then its status. */
import { deployments, replicaSets } from "../../api/resources.ts";
import { isAlreadyExists, isNotFound } from "../../api/status.ts";
import type { Deployment, DeploymentStatus, ReplicaSet } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import type { EventRecorder } from "../../client/event-recorder.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { errorMessage } from "../../lib/errors.ts";
import { adoptObject, controllerOf, controllerReference, releaseObject, type Claims } from "../claim.ts";
import { isNamespaceTerminating } from "../failures.ts";
import type { OwnWrites } from "../own-writes.ts";
import type { DeploymentPlan } from "./reconcile.ts";
import { hasDeadline, revisionAnnotation, sameTemplate } from "./revisions.ts";
import { withCondition, type DeploymentWrite } from "./work.ts";

export interface DeploymentWriter {
  readonly client: Client;
  readonly recorder: EventRecorder;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly ownSets: OwnWrites<ReplicaSet>;
  readonly ownDeployments: OwnWrites<Deployment>;
}

export async function claimSets(
  { client, ownSets }: DeploymentWriter,
  deployment: Deployment,
  { adopt, release }: Claims<ReplicaSet>,
): Promise<void> {
  if (adopt.length > 0) await assertAlive(client, deployment);
  for (const set of adopt) ownSets.wrote(await adoptObject(client, replicaSets, set, controllerReference(deployment, deployments)));
  for (const set of release) ownSets.wrote(await releaseObject(client, replicaSets, set, deployment.metadata.uid ?? ""));
}

async function assertAlive(client: Client, { metadata: { namespace, name = "", uid } }: Deployment): Promise<void> {
  const live = await client.get(deployments, { namespace, name });
  if (live.metadata.uid !== uid || live.metadata.deletionTimestamp !== undefined)
    throw new Error(`Deployment ${namespace}/${name} is gone or going`);
}

export async function finalize(writer: DeploymentWriter, deployment: Deployment, plan: DeploymentPlan): Promise<void> {
  let current = deployment;
  for (const write of plan.writes) current = await applyWrite(writer, current, write);
  for (const { type, reason, message } of plan.events) writer.recorder.event(deployment, type, reason, message);
  await writeStatus(writer, current, plan.status);
}

async function applyWrite(writer: DeploymentWriter, deployment: Deployment, write: DeploymentWrite): Promise<Deployment> {
  const { client, ownSets } = writer;
  switch (write.kind) {
    case "createReplicaSet":
      await createSet(writer, deployment, write.replicaSet);
      return deployment;
    case "updateReplicaSet":
      ownSets.wrote(await client.update(replicaSets, write.replicaSet));
      return deployment;
    case "deleteReplicaSet":
      await deleteSet(writer, write.replicaSet);
      return deployment;
    case "setRevision":
      return setRevision(writer, deployment, write.revision);
    default:
      return write satisfies never;
  }
}

async function createSet(writer: DeploymentWriter, deployment: Deployment, set: ReplicaSet): Promise<void> {
  try {
    writer.ownSets.wrote(await writer.client.create(replicaSets, set));
  } catch (error) {
    if (isNamespaceTerminating(error)) throw error;
    if (isAlreadyExists(error)) return resolveClash(writer, deployment, set);
    await reportFailedCreate(writer, deployment, set, error);
    throw error;
  }
}

/** The name is taken: by our own set that the copy did not show yet, or by a stranger with the same hash. */
async function resolveClash(writer: DeploymentWriter, deployment: Deployment, set: ReplicaSet): Promise<void> {
  const { namespace, name = "" } = set.metadata;
  const existing = await writer.client.get(replicaSets, { namespace, name });
  if (controllerOf(existing)?.uid === deployment.metadata.uid && sameTemplate(existing.spec?.template, deployment.spec?.template)) {
    return writer.ownSets.wrote(existing);
  }
  const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
  await writeStatus(writer, deployment, { ...deployment.status, collisionCount });
  throw new Error(`ReplicaSet ${namespace}/${name} belongs to another template; collision count is now ${collisionCount}`);
}

async function reportFailedCreate(writer: DeploymentWriter, deployment: Deployment, set: ReplicaSet, error: unknown): Promise<void> {
  const message = `Failed to create new replica set ${JSON.stringify(set.metadata.name)}: ${errorMessage(error)}`;
  writer.recorder.event(deployment, "Warning", "ReplicaSetCreateError", message);
  if (!hasDeadline(deployment)) return;
  const condition = { type: "Progressing", status: "False", reason: "ReplicaSetCreateError", message };
  await writeStatus(writer, deployment, {
    ...deployment.status,
    conditions: withCondition(deployment.status?.conditions ?? [], condition, writer.now()),
  });
}

async function deleteSet({ client, ownSets }: DeploymentWriter, set: ReplicaSet): Promise<void> {
  const { namespace, name = "", uid } = set.metadata;
  try {
    await client.delete(
      replicaSets,
      { namespace, name },
      { propagationPolicy: "Background", ...(uid === undefined ? {} : { preconditions: { uid } }) },
    );
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  ownSets.deleted(set);
}

async function setRevision(
  { client, ownDeployments }: DeploymentWriter,
  { metadata: { namespace, name = "" } }: Deployment,
  revision: string,
): Promise<Deployment> {
  const patch = { metadata: { annotations: { [revisionAnnotation]: revision } } };
  const patched = await client.patch(deployments, { namespace, name }, "application/merge-patch+json", patch);
  ownDeployments.wrote(patched);
  return patched;
}

/** Written only when it says something new. */
async function writeStatus({ client, ownDeployments }: DeploymentWriter, deployment: Deployment, status: DeploymentStatus): Promise<void> {
  if (semanticEqual(deployment.status, status)) return;
  ownDeployments.wrote(await client.updateStatus(deployments, { ...deployment, status }));
}
