/** PodTemplates (core/v1): a template by itself. Nothing makes pods of it; clients keep some, and upstream's tests of lists do. */
import { defaultPodSpec } from "../defaults-pod.ts";
import type { Column } from "../kind.ts";
import { podTemplates } from "../resources.ts";
import { formatSelector, selectorOfMap } from "../selectors.ts";
import type { PodTemplate } from "../types.ts";
import { validatePodTemplate } from "../validation/pod.ts";
import { podSpecWarnings } from "../validation/pod-warnings.ts";
import { defineKind, nameColumn, orNone, text } from "./define.ts";
import { templateColumns } from "./workload-columns.ts";

export const podTemplateKind = defineKind<PodTemplate>({
  resource: podTemplates,
  definition: "PodTemplate",
  singular: "podtemplate",
  shortNames: [],
  categories: [],
  subresources: [],
  nameRule: "dns1123Subdomain",
  applyDefaults: (object) => {
    defaultPodSpec(((object.template ??= {}).spec ??= { containers: [] }));
  },
  prepareForCreate: ({ metadata }) => {
    metadata.generation = 1;
  },
  validate: ({ template }) => validatePodTemplate(template ?? {}, "template"),
  warnings: ({ template }) => podSpecWarnings(template?.spec ?? { containers: [] }, "template.spec"),
  columns: [
    nameColumn,
    // Not only in wide tables, as those of controllers are.
    ...templateColumns<PodTemplate>(({ template }) => template).map((column): Column<PodTemplate> => ({ ...column, priority: 0 })),
    text("Pod Labels", "Labels of pods made of it.", ({ template }) => orNone(formatSelector(selectorOfMap(template?.metadata?.labels)))),
  ],
});
