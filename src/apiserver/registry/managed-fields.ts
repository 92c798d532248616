/** Who owns which field (`metadata.managedFields`), kept on every write that is not a server-side apply. */
import type { KindSpec } from "../../api/kind.ts";
import type { Draft, KubeObject } from "../../api/object.ts";
import { trackUpdate } from "../../api/patch/index.ts";
import { apiVersionOf } from "../../api/resources.ts";
import type { ManagedFieldsEntry } from "../../api/types.ts";

export interface ManagedWrite {
  readonly kind: KindSpec;
  readonly manager: string;
  /** RFC 3339 */
  readonly time: string;
  readonly subresource: string | undefined;
}

type Entries = readonly ManagedFieldsEntry[] | undefined;

/**
 * The entries of the object after a write. `next` is what the writer sent, with defaults, before the server adds anything of
 * its own: what is allocated belongs to nobody.
 */
export function managedFieldsOf(next: Draft<KubeObject>, old: KubeObject | undefined, write: ManagedWrite): Entries {
  const sent = next.metadata.managedFields as Entries;
  if (isReset(sent)) return undefined;
  const before = old === undefined ? undefined : scoped(withEntries(old, sent), write);
  return trackUpdate({
    before,
    after: scoped(next as KubeObject, write),
    manager: write.manager,
    subresource: write.subresource,
    apiVersion: apiVersionOf(write.kind.resource),
    definition: write.kind.definition,
    time: write.time,
  });
}

/** `managedFields: [{}]` is how a client asks to forget all owners. */
function isReset(sent: Entries): boolean {
  return sent?.length === 1 && Object.keys(sent[0] as object).length === 0;
}

/** A client may edit the entries themselves, as `kubectl apply` does when it takes over its own older writes. */
function withEntries(old: KubeObject, sent: Entries): KubeObject {
  if (sent === undefined || sent.length === 0 || sent.some(({ fieldsV1, operation }) => fieldsV1 === undefined || operation === undefined))
    return old;
  return { ...old, metadata: { ...old.metadata, managedFields: sent } };
}

interface WithParts extends KubeObject {
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** The part that a write through this (sub)resource can change; the rest of what was sent is ignored, and not owned. */
function scoped(object: KubeObject, { kind, subresource }: ManagedWrite): KubeObject {
  const { status, ...main } = object as WithParts;
  if (subresource === "status") return { metadata: object.metadata, ...(status === undefined ? {} : { status }) } as KubeObject;
  return subresource === undefined && kind.subresources.includes("status") ? main : object;
}
