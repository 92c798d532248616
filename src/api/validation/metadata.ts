/**
 * `metadata` of every object (apimachinery `pkg/api/validation/objectmeta.go`, and the stricter finalizer rule of
 * `pkg/apis/core/validation`).
 */
import { forbidden, invalid, required, tooLong, type FieldError } from "../field-error.ts";
import type { KindSpec } from "../kind.ts";
import { dns1123Label, labelValue, maskTrailingDash, nameRules, pathSegment, qualifiedName } from "../names.ts";
import type { KubeObject } from "../object.ts";
import type { ObjectMeta, OwnerReference } from "../types.ts";

/** All annotations of an object together, keys and values, in bytes. */
const maxAnnotationBytes = 256 * 1024;

/** Kinds of finalizer without a domain that Kubernetes itself knows. */
const standardFinalizers: readonly string[] = ["kubernetes", "orphan", "foregroundDeletion"];

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...qualifiedName(key).map((fault) => invalid(path, key, fault)),
    ...labelValue(value).map((fault) => invalid(path, value, fault)),
  ]);
}

export function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  let size = 0;
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(annotations ?? {})) {
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
    errors.push(...qualifiedName(key.toLowerCase()).map((fault) => invalid(path, key, fault)));
  }
  if (size > maxAnnotationBytes) errors.push(tooLong(path, maxAnnotationBytes));
  return errors;
}

/** Errors of `metadata` alone. */
export function validateMetadata(kind: KindSpec, object: KubeObject): FieldError[] {
  const { metadata } = object;
  return [
    ...validateName(kind, metadata),
    ...validateNamespaceField(kind, metadata),
    ...((metadata.generation ?? 0) < 0 ? [invalid("metadata.generation", metadata.generation, "must be greater than or equal to 0")] : []),
    ...validateLabels(metadata.labels, "metadata.labels"),
    ...validateAnnotations(metadata.annotations, "metadata.annotations"),
    ...validateOwnerReferences(metadata.ownerReferences ?? [], "metadata.ownerReferences"),
    ...validateFinalizers(metadata.finalizers ?? [], "metadata.finalizers", kind),
  ];
}

function validateName(kind: KindSpec, metadata: ObjectMeta): FieldError[] {
  const rule = nameRules[kind.nameRule];
  const errors: FieldError[] = [];
  if (metadata.generateName !== undefined && metadata.generateName !== "") {
    const { generateName } = metadata;
    errors.push(...rule(maskTrailingDash(generateName)).map((fault) => invalid("metadata.generateName", generateName, fault)));
  }
  const name = metadata.name ?? "";
  if (name === "") return [...errors, required("metadata.name", "name or generateName is required")];
  // The path rule holds for every kind, but saying twice that a slash is wrong helps nobody.
  const faults = rule(name);
  return [...errors, ...(faults.length > 0 ? faults : pathSegment(name)).map((fault) => invalid("metadata.name", name, fault))];
}

function validateNamespaceField(kind: KindSpec, { namespace = "" }: ObjectMeta): FieldError[] {
  if (!kind.resource.namespaced) return namespace === "" ? [] : [forbidden("metadata.namespace", "not allowed on this type")];
  if (namespace === "") return [required("metadata.namespace")];
  return dns1123Label(namespace).map((fault) => invalid("metadata.namespace", namespace, fault));
}

function validateOwnerReferences(references: readonly OwnerReference[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  let controller: string | undefined;
  for (const reference of references) {
    errors.push(...validateOwnerReference(reference, path));
    if (reference.controller !== true) continue;
    if (controller !== undefined) {
      const clash = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${reference.name}`;
      errors.push(invalid(path, references, clash));
    }
    controller = reference.name;
  }
  return errors;
}

function validateOwnerReference(reference: OwnerReference, path: string): FieldError[] {
  const { apiVersion = "", kind = "", name = "", uid = "" } = reference;
  const errors: FieldError[] = [];
  if (apiVersion === "" || apiVersion.endsWith("/")) errors.push(invalid(`${path}.apiVersion`, apiVersion, "version must not be empty"));
  if (kind === "") errors.push(invalid(`${path}.kind`, kind, "kind must not be empty"));
  if (name === "") errors.push(invalid(`${path}.name`, name, "name must not be empty"));
  if (uid === "") errors.push(invalid(`${path}.uid`, uid, "uid must not be empty"));
  if (kind === "Event" && apiVersion === "v1") errors.push(invalid(path, reference, "/v1, Kind=Event is disallowed from being an owner"));
  return errors;
}

/** The stricter rule is for the kinds of Kubernetes itself; custom resources and their definitions have finalizers without a slash. */
function validateFinalizers(finalizers: readonly string[], path: string, { custom, resource }: KindSpec): FieldError[] {
  const loose = custom === true || resource.group === "apiextensions.k8s.io";
  const errors = finalizers.flatMap((finalizer, index) =>
    loose
      ? qualifiedName(finalizer).map((fault) => invalid(path, finalizer, fault))
      : validateFinalizer(finalizer, path, `${path}[${index}]`),
  );
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    errors.push(invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"));
  }
  return errors;
}

/** One finalizer, also of `Namespace.spec.finalizers`. */
export function validateFinalizer(finalizer: string, path: string, itemPath = path): FieldError[] {
  const errors = qualifiedName(finalizer).map((fault) => invalid(path, finalizer, fault));
  if (!finalizer.includes("/") && !standardFinalizers.includes(finalizer)) {
    errors.push(invalid(itemPath, finalizer, "name is neither a standard finalizer name nor is it fully qualified"));
  }
  return errors;
}

/** What an update may not change in `metadata`. */
export function validateMetadataUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  const [next, previous] = [object.metadata, old.metadata];
  const immutable = ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] as const;
  const errors = immutable
    .filter((field) => next[field] !== previous[field])
    .map((field) => invalid(`metadata.${field}`, next[field], "field is immutable"));
  if ((next.generation ?? 0) < (previous.generation ?? 0)) {
    errors.push(invalid("metadata.generation", next.generation, "must not be decremented"));
  }
  return [...errors, ...validateNoNewFinalizers(next, previous)];
}

function validateNoNewFinalizers(next: ObjectMeta, previous: ObjectMeta): FieldError[] {
  if (previous.deletionTimestamp === undefined) return [];
  const added = (next.finalizers ?? []).filter((finalizer) => !(previous.finalizers ?? []).includes(finalizer)).sort();
  if (added.length === 0) return [];
  const shown = `[]string{${added.map((finalizer) => JSON.stringify(finalizer)).join(", ")}}`;
  return [forbidden("metadata.finalizers", `no new finalizers can be added if the object is being deleted, found new finalizers ${shown}`)];
}
