/** Namespaces (core/v1). */
import type { Draft } from "../object.ts";
import { namespaces } from "../resources.ts";
import type { Namespace } from "../types.ts";
import { validateFinalizer } from "../validation/metadata.ts";
import { ageColumn, defineKind, nameColumn, text } from "./define.ts";

/** The name as a label, so that selectors can pick a namespace by name. */
const nameLabel = "kubernetes.io/metadata.name";

export const namespaceKind = defineKind<Namespace>({
  resource: namespaces,
  definition: "Namespace",
  singular: "namespace",
  shortNames: ["ns"],
  categories: [],
  subresources: ["status", "finalize"],
  nameRule: "dns1123Label",
  applyDefaults: ({ metadata }) => {
    if (metadata.name !== undefined && metadata.name !== "") (metadata.labels ??= {})[nameLabel] = metadata.name;
  },
  // The finalizer keeps the namespace until its content is gone; the namespace controller removes it through `/finalize`.
  prepareForCreate: (namespace) => {
    const finalizers = namespace.spec?.finalizers ?? [];
    namespace.spec = { finalizers: finalizers.includes("kubernetes") ? finalizers : [...finalizers, "kubernetes"] };
    namespace.status = { phase: "Active" };
  },
  prepareForUpdate: (namespace, old) => {
    namespace.spec = structuredClone(old.spec ?? {}) as NonNullable<Draft<Namespace>["spec"]>;
    namespace.status = structuredClone(old.status ?? {}) as NonNullable<Draft<Namespace>["status"]>;
  },
  validate: ({ spec }) => (spec?.finalizers ?? []).flatMap((finalizer) => validateFinalizer(finalizer, "spec.finalizers")),
  selectableFields: { "status.phase": ({ status }) => status?.phase ?? "" },
  columns: [
    nameColumn,
    text("Status", "Active, or Terminating while its content is deleted.", ({ status }) => status?.phase ?? ""),
    ageColumn,
  ],
});
