/** Leases (coordination.k8s.io/v1): leader election and node heartbeats. */
import { leases } from "../resources.ts";
import type { Lease } from "../types.ts";
import { validateNonNegative, validatePositive } from "../validation/values.ts";
import { ageColumn, defineKind, nameColumn, text } from "./define.ts";

export const leaseKind = defineKind<Lease>({
  resource: leases,
  definition: "Lease",
  singular: "lease",
  shortNames: [],
  categories: [],
  subresources: [],
  nameRule: "dns1123Subdomain",
  createOnUpdate: true,
  conditionalUpdate: true,
  validate: ({ spec }) => [
    ...validatePositive("spec.leaseDurationSeconds", spec?.leaseDurationSeconds),
    ...validateNonNegative("spec.leaseTransitions", spec?.leaseTransitions),
  ],
  columns: [nameColumn, text("Holder", "Who holds it.", ({ spec }) => spec?.holderIdentity ?? ""), ageColumn],
});
