/** ServiceAccounts (core/v1). */
import { serviceAccounts } from "../resources.ts";
import type { ServiceAccount } from "../types.ts";
import { ageColumn, defineKind, integer, nameColumn } from "./define.ts";

export const serviceAccountKind = defineKind<ServiceAccount>({
  resource: serviceAccounts,
  definition: "ServiceAccount",
  singular: "serviceaccount",
  shortNames: ["sa"],
  categories: [],
  subresources: ["token"],
  nameRule: "dns1123Subdomain",
  columns: [nameColumn, integer("Secrets", "How many secrets it names.", ({ secrets }) => (secrets ?? []).length), ageColumn],
});
