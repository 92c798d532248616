/** The writes of the garbage collector. An object that has gone in the meantime is what was wanted. */
import type { KubeObject } from "../../api/object.ts";
import type { Resource } from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import type { Client } from "../../client/client.ts";
import type { CollectPlan } from "./reconcile.ts";

export async function collect(client: Client, resource: Resource, object: KubeObject, plan: CollectPlan): Promise<void> {
  const { namespace, name = "", uid, resourceVersion } = object.metadata;
  switch (plan.kind) {
    case "keep":
      return;
    case "delete":
      // Comes back by the patch, with owners that no longer wait for it: then it is deleted as it is then.
      if (plan.unblock === true && (object.metadata.ownerReferences ?? []).some(({ blockOwnerDeletion }) => blockOwnerDeletion === true))
        return unblockOwners(client, resource, object);
      // The resourceVersion too: who has just been given a living owner must not be deleted for its former ones.
      return unlessGone(
        client.delete(resource, { namespace, name }, { propagationPolicy: plan.policy, preconditions: { uid, resourceVersion } }),
      );
    case "dropReferences":
      return dropReferences(client, resource, object, plan.uids);
    default:
      return plan satisfies never;
  }
}

export async function dropReferences(client: Client, resource: Resource, object: KubeObject, uids: readonly string[]): Promise<void> {
  const { namespace, name = "", resourceVersion } = object.metadata;
  const ownerReferences = (object.metadata.ownerReferences ?? []).filter(({ uid }) => !uids.includes(uid));
  await patch(client, resource, { namespace, name }, { metadata: { ownerReferences, resourceVersion } });
}

async function unblockOwners(client: Client, resource: Resource, object: KubeObject): Promise<void> {
  const { namespace, name = "", resourceVersion } = object.metadata;
  const ownerReferences = (object.metadata.ownerReferences ?? []).map((reference) => ({ ...reference, blockOwnerDeletion: false }));
  await patch(client, resource, { namespace, name }, { metadata: { ownerReferences, resourceVersion } });
}

export async function removeFinalizer(client: Client, resource: Resource, object: KubeObject, finalizer: string): Promise<void> {
  const { namespace, name = "", resourceVersion } = object.metadata;
  const finalizers = (object.metadata.finalizers ?? []).filter((other) => other !== finalizer);
  await patch(client, resource, { namespace, name }, { metadata: { finalizers, resourceVersion } });
}

/** A merge patch with the version that it was made from: a list is replaced as a whole, and only if nobody was quicker. */
function patch(
  client: Client,
  resource: Resource,
  ref: { readonly namespace: string | undefined; readonly name: string },
  body: object,
): Promise<void> {
  return unlessGone(client.patch(resource, ref, "application/merge-patch+json", body));
}

async function unlessGone(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
