/** PTR records of ClusterIPs and endpoints (CoreDNS `plugin/kubernetes/reverse.go`). */
import type { DnsIndex } from "./dns-index.ts";
import { endpointLabel, find, isServed, type LookupZone } from "./find.ts";
import type { LookupResult } from "./lookup-result.ts";
import { foldName, under, withoutZone } from "./name.ts";
import { nameRecord, recordTypes } from "./records.ts";
import { addressOfReverse } from "./reverse.ts";

export function lookupReverse(index: DnsIndex, name: string, zone: LookupZone): LookupResult {
  const folded = foldName(name);
  const address = addressOfReverse(folded);
  if (address === undefined) {
    const found = find(index, zone, withoutZone(folded, zone.origin));
    return found.kind === "nameError" ? found : { kind: "noData", reason: found.kind === "nothing" ? found.reason : "OtherType" };
  }
  const { targets, reason } = namesAt(index, zone, address);
  if (targets.size === 0) return { kind: "nameError", reason: "AddressUnknown" };
  const records = [...targets].map((target) => nameRecord(name, recordTypes.PTR, zone.ttl, target));
  return { kind: "answer", reason, records, additional: [] };
}

/** A ClusterIP belongs to one Service; an endpoint may be in several. */
function namesAt(index: DnsIndex, zone: LookupZone, address: string) {
  const served = (namespace: string) => zone.namespaces.size === 0 || isServed(index, zone, namespace);
  for (const { name, namespace } of index.servicesAt(address)) {
    if (served(namespace))
      return { targets: new Set([under(`${name}.${namespace}.svc`, zone.primary)]), reason: "ReverseService" as const };
  }
  const targets = new Set<string>();
  for (const { namespace, service, endpoints } of index.slicesAt(address)) {
    if (!served(namespace)) continue;
    for (const endpoint of endpoints) {
      if (endpoint.address !== address) continue;
      targets.add(under(`${endpointLabel(endpoint, zone)}.${service}.${namespace}.svc`, zone.primary));
    }
  }
  return { targets, reason: "ReverseEndpoint" as const };
}
