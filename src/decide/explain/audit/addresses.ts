/** Addresses and ports that more than one Service has. */
import type { Service } from "../../../api/types.ts";
import { canonicalIp, joinHostPort } from "../../../lib/ip.ts";
import { refOf, type Snapshot } from "../snapshot.ts";
import { listed } from "../walk.ts";
import { finding, type Finding } from "./finding.ts";

export function auditAddresses({ services }: Snapshot): readonly Finding[] {
  return [...clashes(services, nodePorts, "NodePortTwice"), ...clashes(services, addresses, "AddressTwice")];
}

interface Claim {
  /** `30080/TCP`, `203.0.113.7:80/TCP` */
  readonly what: string;
  readonly field: string;
}

function clashes(
  services: readonly Service[],
  claimsOf: (service: Service) => readonly Claim[],
  rule: "NodePortTwice" | "AddressTwice",
): readonly Finding[] {
  const owners = new Map<string, Service>();
  const found: Finding[] = [];
  // The older one keeps it, as the allocators would have it.
  for (const service of services.toSorted(olderFirst)) {
    for (const { what, field } of claimsOf(service)) {
      const owner = owners.get(what);
      if (owner === undefined) owners.set(what, service);
      else if (owner !== service) {
        const ref = refOf("Service", service);
        const text = `${what} belongs to ${listed([owner, service].map(({ metadata }) => `${metadata.namespace}/${metadata.name}`))}`;
        found.push(finding(rule, ref, field, text, [`Give Service ${ref.namespace}/${ref.name} another one`]));
      }
    }
  }
  return found;
}

function olderFirst(a: Service, b: Service): number {
  const key = ({ metadata }: Service) => `${metadata.creationTimestamp ?? ""} ${metadata.namespace}/${metadata.name}`;
  return key(a) < key(b) ? -1 : 1;
}

function nodePorts({ spec }: Service): readonly Claim[] {
  return (spec?.ports ?? []).flatMap(({ nodePort, protocol = "TCP" }, i) =>
    nodePort === undefined || nodePort === 0 ? [] : [{ what: `node port ${nodePort}/${protocol}`, field: `spec.ports[${i}].nodePort` }],
  );
}

function addresses({ spec, status }: Service): readonly Claim[] {
  const own = [
    ...(spec?.clusterIPs ?? [spec?.clusterIP ?? ""]).map((address) => ({ address, field: "spec.clusterIP" })),
    ...(spec?.externalIPs ?? []).map((address) => ({ address, field: "spec.externalIPs" })),
    ...(status?.loadBalancer?.ingress ?? []).map(({ ip = "" }) => ({ address: ip, field: "status.loadBalancer.ingress" })),
  ].filter(({ address }) => address !== "" && address !== "None");
  return own.flatMap(({ address, field }) =>
    (spec?.ports ?? []).map(({ port, protocol = "TCP" }) => ({ what: `${joinHostPort(canonicalIp(address), port)}/${protocol}`, field })),
  );
}
