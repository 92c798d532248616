/**
 * The old form of the same facts: the subsets of an Endpoints object. Addresses with the same ports share a subset, and
 * one object holds at most 1,000 of them (upstream `endpoints_controller.go`, `api/v1/endpoints/util.go`).
 */
import type { EndpointAddress, EndpointPort, EndpointSubset, Service } from "../../api/types.ts";
import { isPodTerminating, podAddressesOf } from "./pod-state.ts";
import { addressTypesOf, hostnameOf, type Selection, type SelectedEndpoint } from "./select.ts";

export const maxEndpointsAddresses = 1000;

/** Subsets of the Service's primary family: terminating pods are in none, unready ones in `notReadyAddresses`. */
export function subsetsOf(service: Service, selection: Selection): readonly EndpointSubset[] {
  const [family] = addressTypesOf(service);
  const withPorts = (service.spec?.ports?.length ?? 0) > 0;
  const publish = service.spec?.publishNotReadyAddresses === true;
  const records = selection.endpoints
    .filter(
      ({ addressType, pod, ports }) => addressType === family && (publish || !isPodTerminating(pod)) && (ports.length > 0 || !withPorts),
    )
    .map((selected) => recordOf(service, selected));
  return repack(records);
}

/** One address, its ports, and whether it is ready there. */
export interface AddressRecord {
  readonly address: EndpointAddress;
  readonly ready: boolean;
  readonly ports: readonly EndpointPort[];
}

function recordOf(service: Service, { pod, addressType, endpoint, ports }: SelectedEndpoint): AddressRecord {
  const hostname = hostnameOf(service, pod);
  const address: EndpointAddress = {
    ip: podAddressesOf(pod, addressType)[0] as string,
    ...(endpoint.nodeName === undefined ? {} : { nodeName: endpoint.nodeName }),
    ...(endpoint.targetRef === undefined ? {} : { targetRef: endpoint.targetRef }),
    ...(hostname === undefined ? {} : { hostname }),
  };
  return {
    address,
    ready: endpoint.conditions?.ready === true,
    ports: ports.map(({ name, port, protocol, appProtocol }) => portOf(name, port ?? 0, protocol, appProtocol)),
  };
}

function portOf(name: string | undefined, port: number, protocol: string | undefined, appProtocol: string | undefined): EndpointPort {
  return {
    ...(name === undefined || name === "" ? {} : { name }),
    port,
    protocol: protocol ?? "TCP",
    ...(appProtocol === undefined ? {} : { appProtocol }),
  };
}

/** Groups records with the same ports; everything sorted, so the same facts give the same object. */
export function repack(records: readonly AddressRecord[]): readonly EndpointSubset[] {
  const bySet = new Map<string, { ports: readonly EndpointPort[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }>();
  for (const { address, ready, ports } of records) {
    const sorted = [...ports].sort((a, b) => compare(portKey(a), portKey(b)));
    const key = sorted.map(portKey).join();
    let set = bySet.get(key);
    if (set === undefined) bySet.set(key, (set = { ports: sorted, ready: [], notReady: [] }));
    (ready ? set.ready : set.notReady).push(address);
  }
  return [...bySet.entries()].sort(([a], [b]) => compare(a, b)).map(([, { ports, ready, notReady }]) => subset(ports, ready, notReady));
}

function subset(ports: readonly EndpointPort[], ready: EndpointAddress[], notReady: EndpointAddress[]): EndpointSubset {
  return {
    ...(ready.length === 0 ? {} : { addresses: ready.sort(byAddress) }),
    ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.sort(byAddress) }),
    ...(ports.length === 0 ? {} : { ports }),
  };
}

const byAddress = (a: EndpointAddress, b: EndpointAddress): number =>
  compare(a.ip, b.ip) || compare(a.targetRef?.uid ?? "", b.targetRef?.uid ?? "");
const portKey = ({ name, port, protocol, appProtocol }: EndpointPort): string =>
  JSON.stringify([name ?? "", port, protocol ?? "TCP", appProtocol ?? ""]);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export interface Truncation {
  readonly subsets: readonly EndpointSubset[];
  /** Marked by the annotation `endpoints.kubernetes.io/over-capacity: truncated`. */
  readonly truncated: boolean;
}

/** At most `max` addresses in all: unready ones go first, and each subset gives in proportion to its size. */
export function truncateSubsets(subsets: readonly EndpointSubset[], max: number = maxEndpointsAddresses): Truncation {
  const total = (key: "addresses" | "notReadyAddresses") => subsets.reduce((sum, item) => sum + (item[key]?.length ?? 0), 0);
  const [ready, notReady] = [total("addresses"), total("notReadyAddresses")];
  if (ready + notReady <= max) return { subsets, truncated: false };
  const cutReady = ready > max;
  const room = cutReady ? max : max - ready;
  const among = cutReady ? ready : notReady;
  let left = room;
  const cut = subsets.map((item) => {
    const own = (cutReady ? item.addresses : item.notReadyAddresses) ?? [];
    const share = own.slice(0, Math.min(left, Math.ceil((own.length / among) * room)));
    left -= share.length;
    const addresses = cutReady ? share : (item.addresses ?? []);
    return subset(item.ports ?? [], [...addresses], cutReady ? [] : [...share]);
  });
  return {
    subsets: cut.filter(({ addresses, notReadyAddresses }) => addresses !== undefined || notReadyAddresses !== undefined),
    truncated: true,
  };
}
