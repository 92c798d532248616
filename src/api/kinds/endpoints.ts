/** Endpoints (core/v1): the older form of EndpointSlices, still read by many clients. */
import { joinHostPort } from "../../lib/ip.ts";
import type { Draft } from "../object.ts";
import { endpoints } from "../resources.ts";
import type { Endpoints } from "../types.ts";
import { validateEndpoints } from "../validation/endpoints.ts";
import { ageColumn, defineKind, nameColumn, shortList, text } from "./define.ts";

function applyDefaults({ subsets }: Draft<Endpoints>): void {
  for (const subset of subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= "TCP";
}

/** Each address with each port; bare addresses where a headless Service has no ports. */
function endpointList({ subsets = [] }: Endpoints): string {
  const list = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0 ? addresses.map(({ ip }) => ip) : ports.flatMap(({ port }) => addresses.map(({ ip }) => joinHostPort(ip, port))),
  );
  return subsets.length === 0 ? "<none>" : shortList(list, "");
}

export const endpointsKind = defineKind<Endpoints>({
  resource: endpoints,
  definition: "Endpoints",
  singular: "endpoints",
  shortNames: ["ep"],
  categories: [],
  subresources: [],
  nameRule: "dns1123Subdomain",
  createOnUpdate: true,
  applyDefaults,
  validate: (object, old, context) => validateEndpoints(object, old, context),
  deprecation: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
  columns: [nameColumn, text("Endpoints", "Addresses and ports that are ready.", endpointList), ageColumn],
});
