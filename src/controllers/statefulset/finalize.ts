/** Makes, deletes and mends the pods of a StatefulSet with their claims, one after the other, and writes its status. */
import { persistentVolumeClaims, pods, statefulSets } from "../../api/resources.ts";
import { isAlreadyExists, isNotFound } from "../../api/status.ts";
import type { PersistentVolumeClaim, Pod, StatefulSet, StatefulSetStatus } from "../../api/types.ts";
import { semanticEqual } from "../../decide/endpoints/equal.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Lister } from "../../client/informer.ts";
import { isNamespaceTerminating } from "../failures.ts";
import type { OwnWrites } from "../own-writes.ts";
import { removePod, type PodControl } from "../pod-control.ts";
import type { RevisionWriter } from "../revision-writer.ts";
import { retainedBy, type ClaimOwner } from "./claim-retention.ts";
import { claimsOf } from "./identity.ts";
import type { StatefulSetStep } from "./reconcile.ts";

export interface StatefulSetWriter extends PodControl, RevisionWriter {
  readonly claims: Lister<PersistentVolumeClaim>;
  readonly ownSets: OwnWrites<StatefulSet>;
}

export async function takeStep(writer: StatefulSetWriter, set: StatefulSet, step: StatefulSetStep): Promise<void> {
  switch (step.kind) {
    case "create":
      return createMember(writer, set, step.ordinal, step.pod);
    case "delete":
      return deleteMember(writer, set, step.pod, step.because);
    case "mend":
      return void writer.ownPods.wrote(await writer.client.update(pods, step.pod));
    default:
      return step satisfies never;
  }
}

async function createMember(writer: StatefulSetWriter, set: StatefulSet, ordinal: number, pod: Pod): Promise<void> {
  const { client, recorder, ownPods } = writer;
  const what = `create Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name}`;
  try {
    for (const claim of claimsOf(set, ordinal)) await createClaim(writer, set, pod, claim);
    ownPods.wrote(await client.create(pods, pod));
    recorder.event(set, "Normal", "SuccessfulCreate", `${what} successful`);
  } catch (error) {
    if (isNamespaceTerminating(error)) return;
    if (isAlreadyExists(error)) return reportClash(writer, set, pod, error);
    recorder.event(set, "Warning", "FailedCreate", `${what} failed error: ${errorMessage(error)}`);
    throw error;
  }
}

/** Ours, and the copy did not show it yet; or a stranger has the name, and the set has to wait for it to go. */
async function reportClash(writer: StatefulSetWriter, set: StatefulSet, pod: Pod, error: unknown): Promise<void> {
  const { namespace, name = "" } = pod.metadata;
  const existing = await writer.client.get(pods, { namespace, name });
  const ours = existing.metadata.ownerReferences?.some(({ uid }) => uid === set.metadata.uid) === true;
  if (ours) return writer.ownPods.wrote(existing);
  const message = `create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${errorMessage(error)}`;
  writer.recorder.event(set, "Warning", "FailedCreate", message);
  throw error;
}

async function createClaim(writer: StatefulSetWriter, set: StatefulSet, pod: Pod, claim: PersistentVolumeClaim): Promise<void> {
  const { client, recorder, claims } = writer;
  const { namespace, name = "" } = claim.metadata;
  if (claims.get(namespace, name) !== undefined) return;
  const what = `create Claim ${name} Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name}`;
  try {
    await client.create(persistentVolumeClaims, claim);
    recorder.event(set, "Normal", "SuccessfulCreate", `${what} success`);
  } catch (error) {
    if (isAlreadyExists(error)) return;
    if (!isNamespaceTerminating(error)) recorder.event(set, "Warning", "FailedCreate", `${what} failed error: ${errorMessage(error)}`);
    throw error;
  }
}

type Reason = Extract<StatefulSetStep, { readonly kind: "delete" }>["because"];

async function deleteMember(writer: StatefulSetWriter, set: StatefulSet, pod: Pod, because: Reason): Promise<void> {
  const { recorder } = writer;
  const { name, namespace } = pod.metadata;
  const what = `delete Pod ${name} in StatefulSet ${set.metadata.name}`;
  if (because === "finished") {
    const failed = pod.status?.phase === "Failed";
    const message = `StatefulSet ${namespace}/${set.metadata.name} is recreating ${failed ? "failed" : "terminated"} Pod ${name}`;
    recorder.event(set, failed ? "Warning" : "Normal", failed ? "RecreatingFailedPod" : "RecreatingTerminatedPod", message);
  }
  try {
    if (await removePod(writer, pod)) recorder.event(set, "Normal", "SuccessfulDelete", `${what} successful`);
  } catch (error) {
    recorder.event(set, "Warning", "FailedDelete", `${what} failed error: ${errorMessage(error)}`);
    throw error;
  }
}

export async function writeClaimOwners(writer: StatefulSetWriter, set: StatefulSet, owners: readonly ClaimOwner[]): Promise<void> {
  const { namespace } = set.metadata;
  for (const { claim: name, owner } of owners) {
    const claim = writer.claims.get(namespace, name);
    const ownerReferences = claim === undefined ? undefined : retainedBy(set, claim, owner);
    if (ownerReferences === undefined) continue;
    const { resourceVersion } = claim?.metadata ?? {};
    try {
      const patch = { metadata: { ownerReferences, resourceVersion } };
      await writer.client.patch(persistentVolumeClaims, { namespace, name }, "application/merge-patch+json", patch);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

/** Written only when it says something new. */
export async function writeStatus({ client, ownSets }: StatefulSetWriter, set: StatefulSet, status: StatefulSetStatus): Promise<void> {
  if (semanticEqual(set.status, status)) return;
  ownSets.wrote(await client.updateStatus(statefulSets, { ...set, status }));
}
