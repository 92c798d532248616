/** Endpoints (validation.go) and EndpointSlices (`pkg/apis/discovery/validation`). */
import { equalSemantics } from "../equality.ts";
import { duplicate, invalid, required, tooMany, type FieldError } from "../field-error.ts";
import type { KindContext } from "../kind.ts";
import { dns1123Label, dns1123Subdomain, fullyQualifiedDomainName, labelValue, qualifiedName } from "../names.ts";
import type { DiscoveryEndpointPort, Endpoint, EndpointAddress, EndpointPort, Endpoints, EndpointSlice, EndpointSubset } from "../types.ts";
import { validateIp, validateNonSpecialIp } from "./addresses.ts";
import { familyOf } from "./service-traits.ts";
import { protocols, validateEnum, validatePort, validateText } from "./values.ts";

const maxEndpoints = 1000;
const maxAddresses = 100;
const maxPorts = 20000;
const maxZoneHints = 8;

export function validateEndpoints({ subsets = [] }: Endpoints, old: Endpoints | undefined, context: KindContext): FieldError[] {
  // What was stored once stays valid while the subsets do not change.
  if (old !== undefined && equalSemantics(subsets, old.subsets)) return [];
  return subsets.flatMap((subset, index) => validateSubset(subset, `subsets[${index}]`, context));
}

function validateSubset(subset: EndpointSubset, path: string, context: KindContext): FieldError[] {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  return [
    ...(addresses.length + notReadyAddresses.length === 0 ? [required(path, "must specify `addresses` or `notReadyAddresses`")] : []),
    ...addresses.flatMap((address, index) => validateAddress(address, `${path}.addresses[${index}]`, context)),
    ...notReadyAddresses.flatMap((address, index) => validateAddress(address, `${path}.notReadyAddresses[${index}]`, context)),
    ...ports.flatMap((port, index) => validateEndpointPort(port, ports.length > 1, `${path}.ports[${index}]`)),
  ];
}

function validateAddress({ ip = "", hostname = "", nodeName }: EndpointAddress, path: string, context: KindContext): FieldError[] {
  return [
    ...validateIp(`${path}.ip`, ip),
    ...(hostname === "" ? [] : validateText(`${path}.hostname`, hostname, dns1123Label)),
    ...(nodeName === undefined ? [] : validateText(`${path}.nodeName`, nodeName, dns1123Subdomain)),
    ...validateNonSpecialIp(`${path}.ip`, ip, context.allowLoopbackEndpoints),
  ];
}

function validateEndpointPort({ name = "", port, protocol, appProtocol }: EndpointPort, nameRequired: boolean, path: string): FieldError[] {
  return [
    ...(name === "" ? (nameRequired ? [required(`${path}.name`)] : []) : validateText(`${path}.name`, name, dns1123Label)),
    ...validatePort(`${path}.port`, port),
    ...validateEnum(`${path}.protocol`, protocol, protocols),
    ...(appProtocol === undefined ? [] : validateText(`${path}.appProtocol`, appProtocol, qualifiedName)),
  ];
}

export function validateEndpointSlice(slice: EndpointSlice, old: EndpointSlice | undefined, context: KindContext): FieldError[] {
  const { addressType, endpoints = [], ports = [] } = slice;
  const changed = old !== undefined && old.addressType !== addressType;
  return [
    ...(changed ? [invalid("addressType", addressType, "field is immutable")] : []),
    ...validateEnum("addressType", addressType, ["FQDN", "IPv4", "IPv6"]),
    ...(endpoints.length > maxEndpoints
      ? [tooMany("endpoints", endpoints.length, maxEndpoints)]
      : endpoints.flatMap((endpoint, index) => validateEndpoint(endpoint, addressType, `endpoints[${index}]`, context))),
    ...(ports.length > maxPorts ? [tooMany("ports", ports.length, maxPorts)] : validateSlicePorts(ports)),
  ];
}

function validateEndpoint(endpoint: Endpoint, addressType: string, path: string, context: KindContext): FieldError[] {
  const { addresses = [], nodeName, hostname, hints } = endpoint;
  const errors: FieldError[] = [];
  if (addresses.length === 0) errors.push(required(`${path}.addresses`, "must contain at least 1 address"));
  else if (addresses.length > maxAddresses) errors.push(tooMany(`${path}.addresses`, addresses.length, maxAddresses));
  errors.push(...addresses.flatMap((address, index) => validateSliceAddress(address, addressType, `${path}.addresses[${index}]`, context)));
  if (nodeName !== undefined) errors.push(...validateText(`${path}.nodeName`, nodeName, dns1123Subdomain));
  if (hostname !== undefined) errors.push(...validateText(`${path}.hostname`, hostname, dns1123Label));
  const zones = (hints?.forZones ?? []).map(({ name }) => name);
  return [...errors, ...validateZoneHints(zones, `${path}.hints.forZones`)];
}

function validateSliceAddress(address: string, addressType: string, path: string, context: KindContext): FieldError[] {
  if (addressType === "FQDN") return validateText(path, address, fullyQualifiedDomainName);
  if (addressType !== "IPv4" && addressType !== "IPv6") return [];
  if (familyOf(address) !== addressType) return [invalid(path, address, `must be a valid ${addressType} address`)];
  return [...validateIp(path, address), ...validateNonSpecialIp(path, address, context.allowLoopbackEndpoints)];
}

function validateZoneHints(zones: readonly string[], path: string): FieldError[] {
  if (zones.length > maxZoneHints) return [tooMany(path, zones.length, maxZoneHints)];
  return zones.flatMap((zone, index) => [
    ...(zones.indexOf(zone) < index ? [duplicate(`${path}[${index}].name`, zone)] : []),
    ...validateText(`${path}[${index}].name`, zone, labelValue),
  ]);
}

function validateSlicePorts(ports: readonly DiscoveryEndpointPort[]): FieldError[] {
  const names = ports.map(({ name }) => name ?? "");
  return ports.flatMap(({ protocol, appProtocol }, index) => {
    const path = `ports[${index}]`;
    const name = names[index] as string;
    return [
      ...(name === "" ? [] : validateText(`${path}.name`, name, dns1123Label)),
      ...(names.indexOf(name) < index ? [duplicate(`${path}.name`, name)] : []),
      ...validateEnum(`${path}.protocol`, protocol, protocols),
      ...(appProtocol === undefined ? [] : validateText(`${path}.appProtocol`, appProtocol, qualifiedName)),
    ];
  });
}
