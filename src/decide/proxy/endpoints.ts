/** The endpoints of one Service port, gathered from the Service's slices (upstream pkg/proxy/endpointslicecache.go). */
import { formatIp, parseIpSloppy, type IpFamily } from "../../lib/ip.ts";
import type { Endpoint, EndpointSlice } from "../../api/types.ts";
import type { LeftOutEndpoint, PlanEndpoint, Protocol } from "./plan.ts";

export interface GatheredEndpoints {
  /** In order of address and port. */
  readonly endpoints: readonly PlanEndpoint[];
  readonly invalid: readonly LeftOutEndpoint[];
}

export interface EndpointQuery {
  readonly portName: string;
  readonly protocol: Protocol;
  readonly family: IpFamily;
  readonly nodeName: string;
}

/**
 * Slices of the family, in order of their names; an address that two slices hold (it moves between them) counts once, the
 * local one of the two. An endpoint's address is its first, as everywhere in Kubernetes.
 */
export function gatherEndpoints(slices: readonly EndpointSlice[], query: EndpointQuery): GatheredEndpoints {
  const found: PlanEndpoint[] = [];
  const invalid: LeftOutEndpoint[] = [];
  const addressType = query.family === 4 ? "IPv4" : "IPv6";
  for (const slice of [...slices].sort(byName)) {
    if (slice.addressType !== addressType) continue;
    for (const { port } of slice.ports?.filter((candidate) => isPort(candidate, query)) ?? []) {
      if (port === undefined) continue;
      for (const endpoint of slice.endpoints ?? []) {
        const planned = planEndpoint(endpoint, port, query);
        if (planned.kind === "leftOut") invalid.push(planned);
        else found.push(planned);
      }
    }
  }
  return { endpoints: once(found.sort(byAddress)), invalid };
}

function isPort(port: { readonly name?: string | undefined; readonly protocol?: string | undefined }, query: EndpointQuery): boolean {
  return (port.name ?? "") === query.portName && (port.protocol ?? "TCP") === query.protocol;
}

/** `sorted` by address and port. */
function once(sorted: readonly PlanEndpoint[]): readonly PlanEndpoint[] {
  const kept: PlanEndpoint[] = [];
  for (const endpoint of sorted) {
    const last = kept.at(-1);
    if (last === undefined || byAddress(last, endpoint) !== 0) kept.push(endpoint);
    else if (endpoint.local) kept[kept.length - 1] = endpoint;
  }
  return kept;
}

function planEndpoint(endpoint: Endpoint, port: number, { family, nodeName }: EndpointQuery): PlanEndpoint | LeftOutEndpoint {
  const { conditions, hints, targetRef } = endpoint;
  const text = endpoint.addresses[0] ?? "";
  const ip = parseIpSloppy(text);
  const target =
    targetRef?.name === undefined ? {} : { target: `${targetRef.kind ?? "Pod"} ${targetRef.namespace ?? ""}/${targetRef.name}` };
  if (ip === undefined || ip.family !== family) return { kind: "leftOut", ip: text, port, reason: "InvalidAddress", ...target };
  const planned: Mutable<PlanEndpoint> = {
    kind: "endpoint",
    ip: formatIp(ip),
    port,
    local: endpoint.nodeName !== undefined && endpoint.nodeName === nodeName,
    // Absent means ready (discovery/v1), and a server that does not know `serving` means `ready`.
    ready: conditions?.ready ?? true,
    serving: conditions?.serving ?? conditions?.ready ?? true,
    terminating: conditions?.terminating ?? false,
  };
  // One by one: spreading each into the object costs more than all the rest, times all endpoints of a cluster.
  if (endpoint.nodeName !== undefined) planned.nodeName = endpoint.nodeName;
  if (endpoint.zone !== undefined) planned.zone = endpoint.zone;
  if (target.target !== undefined) planned.target = target.target;
  if (hints?.forZones !== undefined && hints.forZones.length > 0) planned.zoneHints = Object.freeze(hints.forZones.map(({ name }) => name));
  if (hints?.forNodes !== undefined && hints.forNodes.length > 0) planned.nodeHints = Object.freeze(hints.forNodes.map(({ name }) => name));
  // Here, where its shape is known: `deepFreeze` looks no further into what is frozen.
  return Object.freeze(planned);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const byName = (a: EndpointSlice, b: EndpointSlice) => compare(a.metadata.name ?? "", b.metadata.name ?? "");
const byAddress = (a: PlanEndpoint, b: PlanEndpoint) => compare(a.ip, b.ip) || a.port - b.port;
