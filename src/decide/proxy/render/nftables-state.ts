/** What of one Service is in the tables: its addresses, where its endpoints stand, and which addresses of others' sets it holds. */
import type { IpFamily } from "../../../lib/ip.ts";
import type { EndpointSet, PortPlan, VirtualAddress } from "../plan.ts";
import { endpointsOf } from "../plan.ts";
import { place, type Slot } from "./nftables-placement.ts";
import type { Placement, RenderedAddress } from "./nftables-service.ts";

export interface ServiceState {
  /** `claimKey` → address. */
  readonly addresses: ReadonlyMap<string, RenderedAddress>;
  /** Port and family → endpoints. */
  readonly placements: ReadonlyMap<string, Placement>;
}

export const nothing: ServiceState = { addresses: new Map(), placements: new Map() };

/** Of a table that an earlier proxy has made. */
export interface FormerTable {
  /** Chain → number of its class. */
  readonly classes: ReadonlyMap<string, number>;
  /** Endpoints in the order in which they stand. */
  slots(protocol: PortPlan["protocol"], address: string, port: number, set: EndpointSet): readonly Slot[];
}

const noPlacement: Placement = { cluster: [], local: [] };

export function placePort(old: Placement | undefined, port: PortPlan, family: IpFamily): Placement {
  const { cluster, local } = endpointsOf(port, family);
  const ids = port.affinity.kind === "clientIP";
  return { cluster: place((old ?? noPlacement).cluster, cluster, ids), local: place((old ?? noPlacement).local, local, ids) };
}

export function formerPlacement(
  former: FormerTable | undefined,
  { protocol }: PortPlan,
  { address, port }: VirtualAddress,
): Placement | undefined {
  if (former === undefined) return undefined;
  return { cluster: former.slots(protocol, address, port, "cluster"), local: former.slots(protocol, address, port, "local") };
}

/** Most Services have none of either in one of the families. */
const none: ReadonlySet<string> = new Set();

export function clusterIPsOf({ addresses }: ServiceState, family: IpFamily): ReadonlySet<string> {
  let found: Set<string> | undefined;
  for (const { kind, address } of addresses.values()) if (kind === "clusterIP" && isOf(family, address)) (found ??= new Set()).add(address);
  return found ?? none;
}

/** Only a pod of this node can reach itself through this node's rules. */
export function hairpinsOf({ addresses }: ServiceState, family: IpFamily): ReadonlySet<string> {
  let found: Set<string> | undefined;
  for (const { address, sets, placement } of addresses.values()) {
    if (!isOf(family, address)) continue;
    for (const set of sets) for (const { ip, local } of placement[set]) if (local) (found ??= new Set()).add(ip);
  }
  return found ?? none;
}

const isOf = (family: IpFamily, address: string) => address.includes(":") === (family === 6);
