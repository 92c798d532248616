/** Subresources that read as the whole object and write one part of it: of the rest of what is sent nothing is taken over. */
import { equalSemantics } from "../../api/equality.ts";
import { duplicate, forbidden, invalid, notFound, required, type FieldError } from "../../api/field-error.ts";
import { draft, type Draft, type KubeObject } from "../../api/object.ts";
import type { Prepared } from "../../api/prepare.ts";
import type { CertificateSigningRequest, Container, EphemeralContainer, Pod, PodSpec } from "../../api/types.ts";
import type { UpdateScope } from "../registry/registry.ts";

/** `pods/ephemeralcontainers`: containers for debugging can be added, never changed or taken away (KEP-277). */
export const ephemeralContainers: UpdateScope = {
  subresource: "ephemeralcontainers",
  part: (object, old) => {
    const [next, before] = [(object as unknown as Pod).spec?.ephemeralContainers ?? [], (old as Pod).spec?.ephemeralContainers ?? []];
    const spec = { ...(old as Pod).spec, ephemeralContainers: next } as PodSpec;
    return { object: kept(object, old, { spec }), errors: ephemeralErrors(next, before, spec), warnings: [] };
  },
};

const notInEphemeral = ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy"] as const;

function ephemeralErrors(next: readonly EphemeralContainer[], before: readonly EphemeralContainer[], spec: PodSpec): FieldError[] {
  const path = "spec.ephemeralContainers";
  const errors: FieldError[] = [];
  for (const [index, old] of before.entries()) {
    const now = next.find(({ name }) => name === old.name);
    if (now === undefined) errors.push(forbidden(path, `existing ephemeral containers ${JSON.stringify(old.name)} may not be removed`));
    else if (!equalSemantics(now, old))
      errors.push(forbidden(`${path}[${index}]`, `existing ephemeral containers ${JSON.stringify(old.name)} may not be changed`));
  }
  const taken = new Set([...spec.containers, ...(spec.initContainers ?? [])].map(({ name }) => name));
  for (const [index, container] of next.entries()) {
    const at = `${path}[${index}]`;
    if (taken.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
    taken.add(container.name);
    if ((container.name ?? "") === "") errors.push(required(`${at}.name`));
    if ((container.image ?? "") === "") errors.push(required(`${at}.image`));
    const target = container.targetContainerName ?? "";
    if (target !== "" && !spec.containers.some(({ name }) => name === target)) errors.push(notFound(`${at}.targetContainerName`, target));
    for (const field of notInEphemeral)
      if (container[field] !== undefined) errors.push(forbidden(`${at}.${field}`, "cannot be set for an Ephemeral Container"));
  }
  return errors;
}

/** `pods/resize`: requests and limits of running containers (KEP-1287). */
export const resize: UpdateScope = {
  subresource: "resize",
  part: (object, old) => {
    const { spec: before } = old as Pod;
    const wanted = (object as unknown as Pod).spec;
    const merged = (containers: readonly Container[] = [], next: readonly Container[] = []) =>
      containers.map((container) =>
        resized(
          container,
          next.find(({ name }) => name === container.name),
        ),
      );
    const spec = {
      ...before,
      containers: merged(before?.containers, wanted?.containers),
      ...(before?.initContainers === undefined ? {} : { initContainers: merged(before.initContainers, wanted?.initContainers) }),
    } as PodSpec;
    const errors = (wanted?.containers ?? [])
      .filter(({ name }) => !(before?.containers ?? []).some((one) => one.name === name))
      .map(() => forbidden("spec.containers", "pod resize may not add or remove containers"));
    const next = kept(object, old, { spec });
    if (!equalSemantics(spec, before)) next.metadata.generation = (old.metadata.generation ?? 0) + 1;
    return { object: next, errors, warnings: [] };
  },
};

function resized(container: Container, next: Container | undefined): Container {
  return next?.resources === undefined ? container : { ...container, resources: next.resources };
}

/** `certificatesigningrequests/approval`: the verdict, which stays. */
export const approval: UpdateScope = {
  subresource: "approval",
  part: (object, old) => {
    const [next, before] = [conditionsOf(object as unknown as KubeObject), conditionsOf(old)];
    const errors: FieldError[] = [];
    const types = new Set(next.map(({ type }) => type));
    if (types.has("Approved") && types.has("Denied"))
      errors.push(invalid("status.conditions", [...types], "Approved and Denied conditions are mutually exclusive"));
    for (const { type } of before)
      if (!types.has(type))
        errors.push(forbidden("status.conditions", `updates may not remove a condition of type ${JSON.stringify(type)}`));
    const status = { ...(old as CertificateSigningRequest).status, conditions: next };
    return { object: kept(object, old, { status }), errors, warnings: [] };
  },
};

const conditionsOf = (object: KubeObject) => (object as CertificateSigningRequest).status?.conditions ?? [];

/** The old object with one part changed and the field managers that this write settled. */
function kept(object: Draft<KubeObject>, old: KubeObject, part: object): Prepared["object"] {
  const { managedFields } = object.metadata;
  const next = draft({ ...old, ...part } as KubeObject);
  if (managedFields === undefined) delete next.metadata.managedFields;
  else next.metadata.managedFields = managedFields;
  return next;
}
