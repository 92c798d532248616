/** ServiceCIDRs (networking.k8s.io/v1): where the addresses of Services come from. */
import { serviceCidrs } from "../resources.ts";
import type { ServiceCIDR } from "../types.ts";
import { validateServiceCidr } from "../validation/service-cidr.ts";
import { ageColumn, defineKind, nameColumn, text } from "./define.ts";

export const serviceCidrKind = defineKind<ServiceCIDR>({
  resource: serviceCidrs,
  definition: "ServiceCIDR",
  singular: "servicecidr",
  shortNames: [],
  categories: [],
  subresources: ["status"],
  nameRule: "dns1123Subdomain",
  prepareForCreate: (cidr) => {
    cidr.status = {};
  },
  prepareForUpdate: (cidr, old) => {
    cidr.status = structuredClone(old.status ?? {}) as NonNullable<typeof cidr.status>;
  },
  validate: validateServiceCidr,
  columns: [nameColumn, text("CIDRs", "Its ranges.", ({ spec }) => (spec?.cidrs ?? []).join(",")), ageColumn],
});
