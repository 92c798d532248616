/** EndpointSlices (discovery.k8s.io/v1): the endpoints of a Service, one family and one set of ports to a slice. */
import { equalSemantics } from "../equality.ts";
import type { Draft } from "../object.ts";
import { endpointSlices } from "../resources.ts";
import type { EndpointSlice } from "../types.ts";
import { validateEndpointSlice } from "../validation/endpoints.ts";
import { ageColumn, defineKind, nameColumn, shortList, text } from "./define.ts";

function applyDefaults({ ports }: Draft<EndpointSlice>): void {
  for (const port of ports ?? []) {
    port.name ??= "";
    port.protocol ??= "TCP";
  }
}

function prepareForUpdate(slice: Draft<EndpointSlice>, old: EndpointSlice): void {
  const same =
    equalSemantics(slice.endpoints, old.endpoints) &&
    equalSemantics(slice.ports, old.ports) &&
    equalSemantics(slice.metadata.labels, old.metadata.labels);
  slice.metadata.generation = (old.metadata.generation ?? 0) + (same ? 0 : 1);
}

export const endpointSliceKind = defineKind<EndpointSlice>({
  resource: endpointSlices,
  definition: "EndpointSlice",
  singular: "endpointslice",
  shortNames: [],
  categories: [],
  subresources: [],
  nameRule: "dns1123Subdomain",
  applyDefaults,
  prepareForCreate: ({ metadata }) => {
    metadata.generation = 1;
  },
  prepareForUpdate,
  validate: (slice, old, context) => validateEndpointSlice(slice, old, context),
  columns: [
    nameColumn,
    text("AddressType", "IPv4, IPv6 or FQDN.", ({ addressType }) => addressType),
    text("Ports", "Ports of every endpoint in it.", ({ ports = [] }) =>
      shortList(
        ports.map(({ port, name }) => (port === undefined ? (name ?? "*") : String(port))),
        "<unset>",
      ),
    ),
    text("Endpoints", "Addresses in it.", ({ endpoints = [] }) =>
      shortList(
        endpoints.flatMap(({ addresses }) => addresses),
        "<unset>",
      ),
    ),
    ageColumn,
  ],
});
