/** Which names and addresses the zone's NS records give (CoreDNS `plugin/kubernetes/ns.go`). */
import type { DnsIndex } from "./dns-index.ts";
import { endpointLabel, type LookupZone } from "./find.ts";
import { under } from "./name.ts";

export interface NameServer {
  readonly name: string;
  readonly address: string;
}

/**
 * The Services of which this server is an endpoint (`kube-dns.kube-system.svc`); while it is of none, `ns.dns` with the
 * addresses at which it answers. `origin` in the case of the question.
 */
export function nameServerAddresses(index: DnsIndex, zone: LookupZone, origin: string): readonly NameServer[] {
  const servers: NameServer[] = [];
  let isEndpoint = false;
  for (const local of zone.localAddresses) {
    for (const slice of index.slicesAt(local)) {
      isEndpoint = true;
      const service = index.service(slice.namespace, slice.service);
      if (service === undefined) continue;
      const name = under(`${service.name}.${service.namespace}.svc`, origin);
      if (service.kind === "headless") {
        for (const endpoint of slice.endpoints) {
          servers.push({ name: `${endpointLabel(endpoint, zone)}.${name}`, address: endpoint.address });
        }
      } else {
        for (const address of service.addresses) servers.push({ name, address });
      }
    }
  }
  if (!isEndpoint) return zone.localAddresses.map((address) => ({ name: under("ns.dns", origin), address }));
  return [...new Map(servers.map((server) => [`${server.name} ${server.address}`, server])).values()];
}
