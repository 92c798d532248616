/**
 * What is wrong with the addresses and ports that Services hold, in upstream's words (`pkg/registry/core/service/ipallocator/controller`,
 * `…/portallocator/controller`). The API server gives nothing twice; a restored or hand-made store may. Pure.
 */
import type { Service } from "../../api/types.ts";

export interface ServiceFault {
  /** Of the Event: CamelCase. */
  readonly reason: string;
  readonly message: string;
}

export interface Holders {
  /** Services that have an address, this one among them. */
  readonly ofAddress: (address: string) => readonly Service[];
  /** Services that have a node port for a protocol (`TCP/30080`), this one among them. */
  readonly ofPort: (port: string) => readonly Service[];
}

export function serviceFaults(service: Service, { ofAddress, ofPort }: Holders): readonly ServiceFault[] {
  const family = (address: string) => (address.includes(":") ? "IPv6" : "IPv4");
  return [
    ...addressesHeld(service)
      .filter((address) => yields(service, ofAddress(address)))
      .map((address) => ({
        reason: "ClusterIPAlreadyAllocated",
        message: `Cluster IP [${family(address)}]:${address} was assigned to multiple services; please recreate service`,
      })),
    ...nodePortsHeld(service)
      .filter((port) => yields(service, ofPort(port)))
      .map((port) => ({
        reason: "PortAlreadyAllocated",
        message: `Port ${port.split("/")[1]} was assigned to multiple services; please recreate service`,
      })),
  ];
}

/** The oldest keeps it; the others are told. */
function yields(service: Service, holders: readonly Service[]): boolean {
  const age = ({ metadata }: Service) => `${metadata.creationTimestamp ?? ""}/${metadata.uid ?? ""}`;
  return holders.some((other) => other.metadata.uid !== service.metadata.uid && age(other) < age(service));
}

export const addressesHeld = ({ spec }: Service): readonly string[] => (spec?.clusterIPs ?? []).filter((address) => /[.:]/.test(address));

export const nodePortsHeld = ({ spec }: Service): readonly string[] =>
  (spec?.ports ?? []).filter(({ nodePort = 0 }) => nodePort > 0).map(({ nodePort, protocol = "TCP" }) => `${protocol}/${nodePort}`);
