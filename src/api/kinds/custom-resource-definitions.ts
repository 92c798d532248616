/** CustomResourceDefinitions (apiextensions.k8s.io/v1): kinds that users add. */
import { readSchema } from "../crd/read-schema.ts";
import { compileRules } from "../crd/rules.ts";
import { forbidden, invalid, required, type FieldError } from "../field-error.ts";
import type { Draft } from "../object.ts";
import { customResourceDefinitions } from "../resources.ts";
import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from "../types.ts";
import { defineKind, nameColumn, text } from "./define.ts";

/** Holds a definition until its objects are gone. */
export const cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

function applyDefaults({ spec }: Draft<CustomResourceDefinition>): void {
  if (spec?.names === undefined) return;
  spec.names.singular ||= (spec.names.kind ?? "").toLowerCase();
  spec.names.listKind ||= `${spec.names.kind}List`;
  spec.conversion ??= { strategy: "None" };
}

/** Names are accepted at once: whether somebody else has them is looked at before the definition is stored. */
function establish(object: Draft<CustomResourceDefinition>, old?: CustomResourceDefinition): void {
  const time = object.metadata.creationTimestamp ?? "";
  const condition = (type: string, reason: string, message: string): CustomResourceDefinitionCondition => ({
    type,
    status: "True",
    lastTransitionTime: time,
    reason,
    message,
  });
  const stored = (object.spec?.versions ?? []).filter(({ storage }) => storage).map(({ name }) => name);
  object.status = {
    conditions: old?.status?.conditions ?? [
      condition("NamesAccepted", "NoConflicts", "no conflicts found"),
      condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ],
    acceptedNames: object.spec?.names,
    storedVersions: [...new Set([...(old?.status?.storedVersions ?? []), ...stored])],
  } as Draft<CustomResourceDefinition>["status"] & object;
}

function validate(object: CustomResourceDefinition, old: CustomResourceDefinition | undefined): FieldError[] {
  const { spec, metadata } = object;
  const errors: FieldError[] = [];
  const name = `${spec?.names?.plural}.${spec?.group}`;
  if (metadata.name !== name) errors.push(invalid("metadata.name", metadata.name, 'must be spec.names.plural+"."+spec.group'));
  if (spec?.scope !== "Namespaced" && spec?.scope !== "Cluster") errors.push(required("spec.scope"));
  const versions = spec?.versions ?? [];
  const stored = versions.filter(({ storage }) => storage);
  if (stored.length !== 1)
    errors.push(
      invalid(
        "spec.versions",
        versions.map((one) => one.name),
        "must have exactly one version marked as storage version",
      ),
    );
  for (const [index, version] of versions.entries()) {
    const path = `spec.versions[${index}]`;
    const schema = readSchema(version.schema?.openAPIV3Schema);
    if (version.schema?.openAPIV3Schema === undefined) errors.push(required(`${path}.schema.openAPIV3Schema`, "schemas are required"));
    else if (schema.type !== "object") errors.push(invalid(`${path}.schema.openAPIV3Schema.type`, schema.type ?? "", 'must be "object"'));
  }
  if (spec?.preserveUnknownFields === true)
    errors.push(invalid("spec.preserveUnknownFields", true, "must be false in order to use defaults in the schema"));
  if (spec?.conversion?.strategy !== undefined && spec.conversion.strategy !== "None")
    errors.push(forbidden("spec.conversion.strategy", "conversion webhooks are not supported by this server"));
  if (old !== undefined && old.spec?.scope !== spec?.scope) errors.push(invalid("spec.scope", spec?.scope, "field is immutable"));
  return errors;
}

/** Rules that this server cannot evaluate, by name. */
function warnings({ spec }: CustomResourceDefinition): readonly string[] {
  const faults = (spec?.versions ?? []).flatMap(({ schema }) => compileRules(readSchema(schema?.openAPIV3Schema)).faults);
  return [...new Set(faults)].map((fault) => `this server does not evaluate the rule ${fault}`);
}

export const customResourceDefinitionKind = defineKind<CustomResourceDefinition>({
  resource: customResourceDefinitions,
  definition: "CustomResourceDefinition",
  singular: "customresourcedefinition",
  shortNames: ["crd", "crds"],
  categories: ["api-extensions"],
  subresources: ["status"],
  nameRule: "dns1123Subdomain",
  applyDefaults,
  prepareForCreate: (object) => {
    object.metadata.generation = 1;
    object.metadata.finalizers = [...new Set([...(object.metadata.finalizers ?? []), cleanupFinalizer])];
    establish(object);
  },
  prepareForUpdate: (object, old) => {
    const changed = JSON.stringify(object.spec) !== JSON.stringify(old.spec);
    object.metadata.generation = (old.metadata.generation ?? 0) + (changed ? 1 : 0);
    establish(object, old);
  },
  validate,
  warnings,
  columns: [nameColumn, text("Created At", "When it was created.", ({ metadata }) => metadata.creationTimestamp ?? "")],
});
