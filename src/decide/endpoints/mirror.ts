/** From an Endpoints object that somebody wrote by hand to the groups of its slices (upstream `endpointslicemirroring/reconciler.go`). */
import type { Endpoint, EndpointAddress, EndpointSubset } from "../../api/types.ts";
import { addressTypeOf, type AddressType } from "./pod-state.ts";
import type { EndpointGroup } from "./slices.ts";

export interface Mirrored {
  readonly groups: readonly EndpointGroup[];
  /** Addresses that are no IP addresses. */
  readonly invalid: number;
  /** Addresses beyond `max` of their subset and family. */
  readonly beyondMax: number;
}

/** `max`: the most addresses of one subset that are mirrored (upstream 1,000). */
export function mirrorSubsets(subsets: readonly EndpointSubset[], max: number): Mirrored {
  const groups: EndpointGroup[] = [];
  let invalid = 0;
  let beyondMax = 0;
  for (const { ports = [], addresses = [], notReadyAddresses = [] } of subsets) {
    const byType = new Map<AddressType, Endpoint[]>();
    const all = [...addresses.map((address) => mirrored(address, true)), ...notReadyAddresses.map((address) => mirrored(address, false))];
    if (all.length > max) beyondMax += all.length - max;
    for (const endpoint of all.slice(0, max)) {
      const type = addressTypeOf(endpoint.addresses[0] ?? "");
      if (type === undefined) invalid += 1;
      else byType.set(type, [...(byType.get(type) ?? []), endpoint]);
    }
    const slicePorts = ports.map(({ name, port, protocol, appProtocol }) => ({
      name: name ?? "",
      port,
      protocol: protocol ?? "TCP",
      ...(appProtocol === undefined ? {} : { appProtocol }),
    }));
    for (const [addressType, endpoints] of byType) groups.push({ addressType, ports: slicePorts, endpoints });
  }
  return { groups, invalid, beyondMax };
}

function mirrored({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}
