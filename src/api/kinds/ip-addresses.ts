/** IPAddresses (networking.k8s.io/v1): one for each address that a Service has. */
import { ipAddresses } from "../resources.ts";
import type { IPAddress } from "../types.ts";
import { validateIpAddress } from "../validation/service-cidr.ts";
import { ageColumn, defineKind, nameColumn, text } from "./define.ts";

/** `services/default/web` */
function parentText({ spec }: IPAddress): string {
  const { group = "", resource = "", namespace = "", name = "" } = spec?.parentRef ?? {};
  return [`${resource}${group === "" ? "" : `.${group}`}`, namespace, name].filter((part) => part !== "").join("/");
}

export const ipAddressKind = defineKind<IPAddress>({
  resource: ipAddresses,
  definition: "IPAddress",
  singular: "ipaddress",
  shortNames: ["ip"],
  categories: [],
  subresources: [],
  nameRule: "pathSegment",
  applyDefaults: ({ metadata }) => {
    delete metadata.generateName;
  },
  validate: validateIpAddress,
  columns: [nameColumn, text("ParentRef", "Whose address it is.", parentText), ageColumn],
});
