/** From a Service and its pods to the writes of its EndpointSlices. Pure. */
import type { EndpointSlice, Node, Pod, Service } from "../../api/types.ts";
import { addressTypesOf, selectEndpoints, type LeftOut, type NodeLookup, type SelectedEndpoint } from "../../decide/endpoints/select.ts";
import { reconcileSlices, type EndpointGroup, type SliceChanges } from "../../decide/endpoints/slices.ts";
import { sliceParentOfService } from "../../decide/endpoints/slice-metadata.ts";
import { withHints } from "../../decide/endpoints/hints.ts";
import { wantsZoneHints, zoneHints, zoneShares } from "../../decide/endpoints/zone-hints.ts";

export interface ServiceSlicesPlan {
  readonly changes: SliceChanges;
  readonly leftOut: readonly LeftOut[];
  /** Why there are no hints, where topology mode Auto asks for them. */
  readonly withheld?: string;
}

export interface ServiceSlicesOptions {
  readonly node: NodeLookup;
  /** All of them: topology mode Auto goes by their CPUs. */
  readonly nodes: () => readonly Node[];
  /** Most endpoints in a slice. */
  readonly max: number;
}

/** `existing`: the slices of this Service that this controller manages and that are not being deleted. */
export function planServiceSlices(
  service: Service,
  pods: readonly Pod[],
  existing: readonly EndpointSlice[],
  { node, nodes, max }: ServiceSlicesOptions,
): ServiceSlicesPlan {
  const selection = selectEndpoints(service, pods, node);
  const { groups, withheld } = wantsZoneHints(service)
    ? zoneHinted(selection.endpoints, nodes())
    : { groups: selection.endpoints.map((selected) => groupOf(selected, service)), withheld: undefined };
  const changes = reconcileSlices(existing, groups, { parent: sliceParentOfService(service), emptyFor: addressTypesOf(service), max });
  return { changes, leftOut: selection.leftOut, ...(withheld === undefined ? {} : { withheld }) };
}

function groupOf({ addressType, ports, endpoint }: SelectedEndpoint, { spec }: Service): EndpointGroup {
  return { addressType, ports, endpoints: [withHints(endpoint, spec?.trafficDistribution)] };
}

interface ZoneHinted {
  readonly groups: readonly EndpointGroup[];
  readonly withheld: string | undefined;
}

/** Each address family by itself: a client uses one of them. */
function zoneHinted(selected: readonly SelectedEndpoint[], nodes: readonly Node[]): ZoneHinted {
  const shares = zoneShares(nodes);
  const families = [...new Set(selected.map(({ addressType }) => addressType))];
  const hinted = families.map((family) => {
    const those = selected.filter(({ addressType }) => addressType === family);
    const hints = zoneHints(
      those.map(({ endpoint }) => endpoint),
      shares,
    );
    const groups = those.map(({ addressType, ports }, at): EndpointGroup => ({
      addressType,
      ports,
      endpoints: hints.endpoints.slice(at, at + 1),
    }));
    return { groups, withheld: hints.kind === "withheld" ? `${hints.why}, addressType: ${family}` : undefined };
  });
  return {
    groups: hinted.flatMap(({ groups }) => groups),
    withheld: hinted.map(({ withheld }) => withheld).find((why) => why !== undefined),
  };
}
