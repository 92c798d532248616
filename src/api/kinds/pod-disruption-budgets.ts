/** PodDisruptionBudgets (policy/v1): how many pods may be evicted at once. */
import { podDisruptionBudgets } from "../resources.ts";
import type { PodDisruptionBudget } from "../types.ts";
import { validatePodDisruptionBudget } from "../validation/pod-disruption-budget.ts";
import { ageColumn, defineKind, integer, nameColumn, text } from "./define.ts";

const orNotSaid = (value: number | string | undefined): string => String(value ?? "N/A");

export const podDisruptionBudgetKind = defineKind<PodDisruptionBudget>({
  resource: podDisruptionBudgets,
  definition: "PodDisruptionBudget",
  singular: "poddisruptionbudget",
  shortNames: ["pdb"],
  categories: [],
  subresources: ["status"],
  nameRule: "dns1123Subdomain",
  conditionalUpdate: true,
  prepareForCreate: (budget) => {
    budget.status = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 };
    budget.metadata.generation = 1;
  },
  validate: validatePodDisruptionBudget,
  columns: [
    nameColumn,
    text("Min Available", "Pods that must stay.", ({ spec }) => orNotSaid(spec?.minAvailable)),
    text("Max Unavailable", "Pods that may be away.", ({ spec }) => orNotSaid(spec?.maxUnavailable)),
    integer("Allowed Disruptions", "Pods that may be evicted now.", ({ status }) => status?.disruptionsAllowed ?? 0),
    ageColumn,
  ],
});
