/** Ownership by every write that is not an apply: whoever changes a field owns it from then on. */
import type { KubeObject } from "../../object.ts";
import type { ManagedFieldsEntry } from "../../types.ts";
import { compare } from "./compare.ts";
import { ownable } from "./ownable.ts";
import { isEmptySet, union, type FieldSet } from "./field-set.ts";
import { capUpdateManagers, isSame, readManagers, release, writeManagers, type Manager, type ManagerId } from "./managers.ts";

export interface TrackRequest {
  /** Absent: a create. */
  readonly before: KubeObject | undefined;
  /** What the writer sent. Entries that it sent along count instead of those before, so that a client can edit them. */
  readonly after: KubeObject;
  readonly manager: string;
  /** `status` */
  readonly subresource?: string | undefined;
  readonly apiVersion: string;
  /** The type's name in the schema. */
  readonly definition: string;
  /** RFC 3339 */
  readonly time: string;
}

type Entries = readonly ManagedFieldsEntry[] | undefined;

/** The `managedFields` of `after`; the same array as before when ownership did not change. */
export function trackUpdate(request: TrackRequest): Entries {
  const { before, after, manager, subresource, apiVersion, time } = request;
  const entries = currentEntries(request);
  // Somebody made the server forget who owns what: it stays so until the next apply.
  if (before !== undefined && (entries?.length ?? 0) === 0) return undefined;
  const schema = { type: "object", ref: request.definition } as const;
  const { changed, removed } = compare(before === undefined ? {} : ownable(before), ownable(after), schema);
  if (isEmptySet(changed) && isEmptySet(removed)) return entries;
  const id: ManagerId = { name: manager, operation: "Update", apiVersion, subresource };
  const others = release(release(readManagers(entries) ?? [], removed), changed, id);
  return writeManagers(capUpdateManagers(claim(others, id, changed, time)));
}

/** Those that the writer sent, if they can be read; a write through a subresource cannot set them. */
function currentEntries({ before, after, subresource }: TrackRequest): Entries {
  const sent = after.metadata.managedFields;
  const known = before?.metadata.managedFields;
  if (sent === known || subresource !== undefined || sent === undefined) return known;
  if (isReset(sent)) return undefined;
  return readManagers(sent) === undefined ? known : sent;
}

/** `[]` and `[{}]` are how a client asks to forget all owners. */
function isReset(sent: readonly ManagedFieldsEntry[]): boolean {
  return sent.length === 0 || (sent.length === 1 && Object.keys(sent[0] as object).length === 0);
}

/** The manager's own entry gains the fields; its time moves with every change that it makes. */
function claim(managers: readonly Manager[], id: ManagerId, fields: FieldSet, time: string): readonly Manager[] {
  if (isEmptySet(fields)) return managers;
  const own = managers.find((manager) => isSame(manager, id));
  if (own === undefined) return [...managers, { ...id, time, fields }];
  return managers.map((manager) => (manager === own ? { ...own, time, fields: union(own.fields, fields) } : manager));
}
