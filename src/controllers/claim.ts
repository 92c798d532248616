/**
 * Which of many objects a controller's object holds (upstream `controller_ref_manager.go`): those that name it as their
 * controller and still match; orphans that match are adopted, its own that match no more are released.
 */
import type { KubeObject } from "../api/object.ts";
import { matchesLabels, type LabelSelector } from "../api/selectors.ts";
import type { OwnerReference } from "../api/types.ts";
import type { Client } from "../client/client.ts";
import type { Resource } from "../api/resources.ts";
import { apiVersionOf } from "../api/resources.ts";

export interface Claims<T extends KubeObject> {
  /** Held already. */
  readonly held: readonly T[];
  readonly adopt: readonly T[];
  readonly release: readonly T[];
}

/** `owner` being deleted adopts nothing. Objects being deleted are neither adopted nor released. */
export function claim<T extends KubeObject>(owner: KubeObject, selector: LabelSelector, objects: readonly T[]): Claims<T> {
  const held: T[] = [];
  const adopt: T[] = [];
  const release: T[] = [];
  const mayAdopt = owner.metadata.deletionTimestamp === undefined;
  for (const object of objects) {
    const controller = controllerOf(object);
    const going = object.metadata.deletionTimestamp !== undefined;
    const matches = matchesLabels(selector, object.metadata.labels ?? {});
    if (controller?.uid === owner.metadata.uid && controller !== undefined) {
      if (matches) held.push(object);
      else if (!going && mayAdopt) release.push(object);
    } else if (controller === undefined && matches && !going && mayAdopt) adopt.push(object);
  }
  return { held, adopt, release };
}

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  for (const reference of object.metadata.ownerReferences ?? []) if (reference.controller === true) return reference;
  return undefined;
}

/** The reference by which `owner` controls an object. */
export function controllerReference(owner: KubeObject, resource: Pick<Resource, "group" | "version" | "kind">): OwnerReference {
  const { name = "", uid = "" } = owner.metadata;
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** Strategic merge patches: a reference is added or taken away whatever the other ones are; the uid is a precondition. */
export async function adoptObject<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  object: T,
  reference: OwnerReference,
): Promise<T> {
  return patchOwners(client, resource, object, reference);
}

export async function releaseObject<T extends KubeObject>(client: Client, resource: Resource<T>, object: T, ownerUid: string): Promise<T> {
  return patchOwners(client, resource, object, { $patch: "delete", uid: ownerUid });
}

function patchOwners<T extends KubeObject>(client: Client, resource: Resource<T>, object: T, change: object): Promise<T> {
  const { namespace, name = "", uid } = object.metadata;
  return client.patch(resource, { namespace, name }, "application/strategic-merge-patch+json", {
    metadata: { ownerReferences: [change], uid },
  });
}
