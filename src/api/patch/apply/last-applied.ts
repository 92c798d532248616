/**
 * `kubectl apply` without `--server-side` keeps what it applied in an annotation. When the same user goes over to
 * `--server-side`, that record says which fields were his already, and is kept up to date for the way back (apimachinery
 * `managedfields/internal/lastapplied{manager,updater}.go`). Only for kubectl's own manager name.
 */
import type { KubeObject } from "../../object.ts";
import type { FieldSchema } from "../../schema/schema.ts";
import { isObject } from "../json-value.ts";
import { compare, fieldsOf } from "./compare.ts";
import { difference, type FieldSet } from "./field-set.ts";
import { ownable } from "./ownable.ts";

const annotation = "kubectl.kubernetes.io/last-applied-configuration";
const kubectl = "kubectl";
const nothing: FieldSet = {};

/** Fields that `manager` may take from others without force: applied by it before, and unchanged since. */
export function formerlyApplied(live: KubeObject | undefined, manager: string, apiVersion: string, schema: FieldSchema): FieldSet {
  if (live === undefined || manager !== kubectl) return nothing;
  const last = parsed(live.metadata.annotations?.[annotation]);
  if (last === undefined || last.apiVersion !== apiVersion) return nothing;
  const { changed, removed } = compare(ownable(last), ownable(live), schema);
  return difference(difference(fieldsOf(ownable(last), schema), changed), removed);
}

/** A record that a user may have written by hand: anything else than an object counts as none. */
function parsed(text: string | undefined): KubeObject | undefined {
  if (text === undefined || text === "") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) && isObject(value["metadata"]) ? (value as unknown as KubeObject) : undefined;
  } catch {
    return undefined; // no JSON: no record
  }
}

/** `object` with the record of what was applied now, if it has a record at all. */
export function withLastApplied(object: KubeObject, applied: KubeObject, manager: string): KubeObject {
  const { annotations } = object.metadata;
  if (manager !== kubectl || (annotations?.[annotation] ?? "") === "") return object;
  const { [annotation]: _, ...others } = applied.metadata.annotations ?? {};
  const metadata = applied.metadata.annotations === undefined ? applied.metadata : { ...applied.metadata, annotations: others };
  const record = `${JSON.stringify({ ...applied, metadata })}\n`;
  return { ...object, metadata: { ...object.metadata, annotations: { ...annotations, [annotation]: record } } };
}
