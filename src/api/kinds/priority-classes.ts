/** PriorityClasses (scheduling.k8s.io/v1): which pods matter more. */
import { priorityClasses } from "../resources.ts";
import type { PriorityClass } from "../types.ts";
import { validatePriorityClass } from "../validation/priority-class.ts";
import { ageColumn, defineKind, integer, nameColumn, text } from "./define.ts";

export const priorityClassKind = defineKind<PriorityClass>({
  resource: priorityClasses,
  definition: "PriorityClass",
  singular: "priorityclass",
  shortNames: ["pc"],
  categories: [],
  subresources: [],
  nameRule: "dns1123Subdomain",
  applyDefaults: (priorityClass) => {
    priorityClass.preemptionPolicy ||= "PreemptLowerPriority";
  },
  prepareForCreate: ({ metadata }) => {
    metadata.generation = 1;
  },
  validate: validatePriorityClass,
  columns: [
    nameColumn,
    integer("Value", "The higher, the more a pod matters.", ({ value }) => value ?? 0),
    {
      ...text<PriorityClass>("Global-Default", "Whether pods that name none have it.", ({ globalDefault }) => globalDefault ?? false),
      type: "boolean",
    },
    ageColumn,
    text("PreemptionPolicy", "Whether its pods may take the place of others.", ({ preemptionPolicy }) => preemptionPolicy ?? ""),
  ],
});
