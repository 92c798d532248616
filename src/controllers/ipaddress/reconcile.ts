/**
 * IPAddress objects: one for each address that a Service has, as upstream's allocator leaves them (KEP-1880; upstream
 * `pkg/registry/core/service/ipallocator`). Here the API server's ledger allocates, and these show it. Pure.
 */
import { formatIp, parseIp } from "../../lib/ip.ts";
import type { IPAddress, Service } from "../../api/types.ts";

export const managedByLabel = "ipaddress.kubernetes.io/managed-by";
export const managedBy = "ipallocator.k8s.io";
const familyLabel = "ipaddress.kubernetes.io/ip-family";

export interface AddressPlan {
  readonly create: readonly IPAddress[];
  readonly remove: readonly IPAddress[];
}

/** `existing`: those whose parent is this Service. `service`: undefined when it is gone. */
export function planAddresses(service: Service | undefined, existing: readonly IPAddress[]): AddressPlan {
  const wanted = service === undefined ? [] : addressesOf(service).map((address) => addressObject(service, address));
  const names = new Set(wanted.map(({ metadata }) => metadata.name));
  const have = new Set(existing.map(({ metadata }) => metadata.name));
  return {
    create: wanted.filter(({ metadata }) => !have.has(metadata.name)),
    remove: existing.filter(({ metadata }) => !names.has(metadata.name) && metadata.labels?.[managedByLabel] === managedBy),
  };
}

/** Headless Services and names of elsewhere have none. */
function addressesOf({ spec }: Service): readonly string[] {
  return (spec?.clusterIPs ?? []).flatMap((text) => {
    const ip = parseIp(text);
    return ip === undefined ? [] : [formatIp(ip)];
  });
}

function addressObject({ metadata: { namespace = "", name = "" } }: Service, address: string): IPAddress {
  return {
    metadata: { name: address, labels: { [managedByLabel]: managedBy, [familyLabel]: address.includes(":") ? "IPv6" : "IPv4" } },
    spec: { parentRef: { group: "", resource: "services", namespace, name } },
  };
}

/** `namespace/name` of the Service that an address belongs to. */
export function parentKey({ spec }: IPAddress): string | undefined {
  const { group = "", resource, namespace = "", name } = spec.parentRef;
  return group === "" && resource === "services" ? `${namespace}/${name}` : undefined;
}
