/**
 * Server-side apply (KEP-555): an applier says what it wants, owns exactly that, and meets a conflict where it would change
 * what another one owns.
 */
import type { KubeObject } from "../../object.ts";
import type { ManagedFieldsEntry } from "../../types.ts";
import type { FieldSchema } from "../../schema/schema.ts";
import { badRequestError } from "../../status.ts";
import { compare, fieldsOf } from "./compare.ts";
import { difference, equalSets, intersection, isEmptySet, leaf, memberPaths, self, union, type FieldSet } from "./field-set.ts";
import { formerlyApplied, withLastApplied } from "./last-applied.ts";
import { listFault } from "./list-fault.ts";
import { isSame, readManagers, release, writeManagers, type Manager, type ManagerId } from "./managers.ts";
import { mergeApplied } from "./merge-applied.ts";
import { ownable } from "./ownable.ts";
import { prune } from "./prune.ts";

export interface ApplyRequest {
  /** Absent: the object is created. */
  readonly live: KubeObject | undefined;
  readonly applied: KubeObject;
  readonly manager: string;
  readonly force: boolean;
  readonly subresource?: string | undefined;
  readonly apiVersion: string;
  readonly definition: string;
  /** RFC 3339 */
  readonly time: string;
}

export interface Conflict {
  /** `conflict with "kubectl" using v1` */
  readonly message: string;
  /** `.spec.replicas` */
  readonly field: string;
}

export interface ApplyResult {
  /** Not yet defaulted; `metadata.managedFields` is as it must be stored. */
  readonly object: KubeObject;
  /** Not empty: nothing may be stored. */
  readonly conflicts: readonly Conflict[];
}

/**
 * Inputs are never changed. The applied object must carry no managedFields of its own. Throws a 400 StatusError when it names an
 * item of a keyed list twice.
 */
export function serverSideApply(request: ApplyRequest): ApplyResult {
  const { live, applied, manager, subresource, apiVersion, time } = request;
  const schema: FieldSchema = { type: "object", ref: request.definition };
  const fault = listFault(applied, schema);
  if (fault !== undefined) throw badRequestError(`failed to create typed patch object (${described(applied)}): ${fault}`);
  const id: ManagerId = { name: manager, operation: "Apply", apiVersion, subresource };
  const managers = managersOf(request, schema);
  const mine = fieldsOf(ownable(applied), schema);
  const before = managers.find((one) => isSame(one, id));
  const base = live === undefined ? undefined : withoutManagers(live);
  const owned = managers.filter((one) => one !== before).reduce((sum, one) => union(sum, one.fields), mine);
  const merged = mergeApplied(base, applied, schema);
  const next = (before === undefined ? merged : prune(merged, before.fields, protect(owned), schema)) as KubeObject;
  const { changed, removed } = compare(base === undefined ? {} : ownable(base), ownable(next), schema);
  const taken = intersection(changed, mine);
  const conflicts = request.force ? [] : conflictsOf(managers, id, taken, formerlyApplied(live, manager, apiVersion, schema));
  const others = release(release(managers, removed), taken, id).filter((one) => !isSame(one, id));
  const kept = before !== undefined && equalSets(before.fields, mine) && isEmptySet(changed) && isEmptySet(removed);
  const entries = writeManagers([...others, { ...id, time: kept ? before.time : time, fields: mine }]);
  return { object: withManagers(withLastApplied(next, applied, manager), entries), conflicts };
}

/** The object's identity is in no set, and is never pruned. */
function protect(owned: FieldSet): FieldSet {
  return { ...owned, "f:metadata": owned["f:metadata"] ?? { [self]: leaf } };
}

/**
 * Who owns what now. An object that nobody was noted for, because somebody had that forgotten, belongs as it is to
 * `before-first-apply`, so that an apply does not take it over in silence.
 */
function managersOf({ live, subresource, apiVersion, time }: ApplyRequest, schema: FieldSchema): readonly Manager[] {
  const managers = readManagers(live?.metadata.managedFields) ?? [];
  if (live === undefined || managers.length > 0) return managers;
  const { "f:status": _, ...main } = compare({}, ownable(live), schema).changed;
  return [{ name: "before-first-apply", operation: "Update", apiVersion, subresource, time, fields: main }];
}

/** Fields that `id` would take from their owners, but for those that it may. */
function conflictsOf(managers: readonly Manager[], id: ManagerId, taken: FieldSet, allowed: FieldSet): readonly Conflict[] {
  return managers
    .filter((one) => !isSame(one, id))
    .flatMap((one) => {
      const message = `conflict with ${managerText(one)}`;
      return memberPaths(difference(intersection(taken, one.fields), allowed))
        .toSorted()
        .map((field) => ({ message, field }));
    });
}

/** apimachinery `managedfields/internal/conflict.go`: only an update's version is told. */
function managerText({ name, subresource, operation, apiVersion }: Manager): string {
  const through = subresource === undefined ? "" : ` with subresource ${JSON.stringify(subresource)}`;
  return `${JSON.stringify(name)}${through}${operation === "Update" ? ` using ${apiVersion}` : ""}`;
}

function described({ apiVersion = "", kind = "", metadata }: KubeObject): string {
  const gvk = `${apiVersion.includes("/") ? apiVersion : `/${apiVersion}`}, Kind=${kind}`;
  return `${metadata.namespace ?? ""}/${metadata.name ?? ""}; ${gvk}`;
}

function withoutManagers(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function withManagers(object: KubeObject, entries: readonly ManagedFieldsEntry[]): KubeObject {
  return { ...object, metadata: { ...object.metadata, managedFields: entries } };
}
