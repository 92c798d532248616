/** A World as the DNS server's index: made of what is asked for, so that a question costs no index of all Services. */
import type { DnsIndex } from "../dns/dns-index.ts";
import { serviceEntry, sliceEntry } from "../dns/entries.ts";
import type { LookupZone } from "../dns/find.ts";
import { absolute, foldName } from "../dns/name.ts";
import type { SnapshotConfig } from "./snapshot.ts";
import type { World } from "./world.ts";

/** Of names below the zone; names of addresses (PTR) are not asked here. */
export function dnsView(world: World): DnsIndex {
  return {
    generation: 0,
    serial: 0,
    onChange: () => () => undefined,
    namespaces: () => [],
    allServices: () => world.snapshot.services.map((service) => serviceEntry(service)),
    hasNamespace: world.hasNamespace,
    service(namespace, name) {
      const service = world.service(namespace, name);
      return service === undefined ? undefined : serviceEntry(service);
    },
    slices: (namespace, service) => world.slicesOf(namespace, service).map((slice) => sliceEntry(slice)),
    servicesAt: (address) => world.servicesAt(address).map((service) => serviceEntry(service)),
    externalsAt: () => [],
    slicesAt: () => [],
    podsAt: (address) => world.podsAt(address).map(({ metadata }) => metadata.namespace ?? ""),
  };
}

export function zoneOf({ clusterDomain, dnsPods }: SnapshotConfig): LookupZone {
  const origin = foldName(absolute(clusterDomain));
  return {
    origin,
    primary: origin,
    ttl: 30,
    pods: dnsPods,
    namespaces: new Set(),
    endpointPodNames: false,
    ignoreEmptyService: false,
    zonal: false,
    localAddresses: [],
  };
}
