/** The entries of `metadata.managedFields`: who owns which fields (apimachinery `managedfields`). */
import type { ManagedFieldsEntry } from "../../types.ts";
import { difference, equalSets, isEmptySet, isFieldSet, union, type FieldSet } from "./field-set.ts";

export interface Manager {
  readonly name: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  /** `status`; absent for the object itself. */
  readonly subresource?: string | undefined;
  readonly time?: string | undefined;
  readonly fields: FieldSet;
}

export type ManagerId = Pick<Manager, "name" | "operation" | "apiVersion" | "subresource">;

/** undefined when an entry is malformed: they come from clients. */
export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): readonly Manager[] | undefined {
  const managers: Manager[] = [];
  for (const { manager, operation, apiVersion, subresource, time, fieldsV1 } of entries ?? []) {
    if ((operation !== "Apply" && operation !== "Update") || !isFieldSet(fieldsV1)) return undefined;
    managers.push({
      name: manager ?? "",
      operation,
      apiVersion: apiVersion ?? "",
      subresource: subresource === "" ? undefined : subresource,
      time,
      fields: fieldsV1,
    });
  }
  return managers;
}

/** Without those that own nothing; Apply entries first, then by time and name, as upstream sorts them. */
export function writeManagers(managers: readonly Manager[]): readonly ManagedFieldsEntry[] {
  return managers
    .filter(({ fields }) => !isEmptySet(fields))
    .sort((a, b) => compareText(a.operation, b.operation) || compareText(a.time ?? "", b.time ?? "") || compareText(a.name, b.name))
    .map(({ name, operation, apiVersion, subresource, time, fields }) => ({
      manager: name,
      operation,
      apiVersion,
      ...(time === undefined ? {} : { time }),
      fieldsType: "FieldsV1",
      fieldsV1: fields,
      ...(subresource === undefined ? {} : { subresource }),
    }));
}

export function isSame(a: ManagerId, b: ManagerId): boolean {
  return (
    a.name === b.name &&
    a.operation === b.operation &&
    a.subresource === b.subresource &&
    (a.operation === "Apply" || a.apiVersion === b.apiVersion)
  );
}

/** Takes fields away from all managers but `except`. */
export function release(managers: readonly Manager[], fields: FieldSet, except?: ManagerId): readonly Manager[] {
  if (isEmptySet(fields)) return managers;
  return managers.map((manager) => {
    if (except !== undefined && isSame(manager, except)) return manager;
    const left = difference(manager.fields, fields);
    return equalSets(left, manager.fields) ? manager : { ...manager, fields: left };
  });
}

const maxUpdateManagers = 10;

/**
 * Keeps the entries of updates few: the oldest of one version become one, `ancient-changes` (apimachinery
 * `managedfields/internal/capmanagers.go`).
 */
export function capUpdateManagers(managers: readonly Manager[]): readonly Manager[] {
  const updaters = managers.filter(({ operation }) => operation === "Update");
  let surplus = updaters.length - maxUpdateManagers;
  if (surplus <= 0) return managers;
  const oldest = [...updaters].sort((a, b) => compareText(a.time ?? "", b.time ?? "") || compareText(a.name, b.name));
  const merged = new Map<string, Manager>();
  const gone = new Set<Manager>();
  for (const manager of oldest) {
    if (surplus <= 0) break;
    const first = merged.get(manager.apiVersion);
    if (first !== undefined) surplus--;
    merged.set(manager.apiVersion, first === undefined ? manager : ancient(first, manager));
    gone.add(manager);
  }
  return [...managers.filter((manager) => !gone.has(manager)), ...merged.values()];
}

function ancient(a: Manager, b: Manager): Manager {
  const { operation, apiVersion, time } = b;
  return { name: "ancient-changes", operation, apiVersion, time, fields: union(a.fields, b.fields) };
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
