/**
 * The difference between the slices that exist and the endpoints that should: as few writes as can be, and no endpoint
 * moves between slices without need, since each changed slice goes out to every watcher (upstream
 * `endpointslice/reconciler.go`).
 */
import type { DiscoveryEndpointPort, Endpoint, EndpointSlice } from "../../api/types.ts";
import { semanticEqual } from "./equal.ts";
import type { AddressType } from "./pod-state.ts";
import { isOwnedBy, type SliceParent } from "./slice-metadata.ts";

/** Endpoints of one address family with the same ports: they share slices. */
export interface EndpointGroup {
  readonly addressType: AddressType;
  readonly ports: readonly DiscoveryEndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export interface SliceChanges {
  /** With `generateName`. */
  readonly create: readonly EndpointSlice[];
  /** Whole objects with the `resourceVersion` that they replace. */
  readonly update: readonly EndpointSlice[];
  readonly delete: readonly EndpointSlice[];
}

export interface SliceOptions {
  readonly parent: SliceParent;
  /** Families for which an empty slice stands when there is no endpoint: "known, and none" differs from "not known". */
  readonly emptyFor: readonly AddressType[];
  /** Most endpoints in a slice; upstream `--max-endpoints-per-slice`, 100. */
  readonly max: number;
}

/** `existing` are the slices of this parent and manager, all families. */
export function reconcileSlices(
  existing: readonly EndpointSlice[],
  desired: readonly EndpointGroup[],
  options: SliceOptions,
): SliceChanges {
  const groups = mergeGroups(desired);
  const byGroup = new Map<string, EndpointSlice[]>();
  const surplus: EndpointSlice[] = [];
  for (const slice of existing) {
    const key = groupKey(slice.addressType, slice.ports ?? []);
    if (!isOwnedBy(slice, options.parent) || !groups.has(key)) surplus.push(slice);
    else byGroup.set(key, [...(byGroup.get(key) ?? []), slice]);
  }
  const results = [...groups].map(([key, group]) => reconcileGroup(byGroup.get(key) ?? [], group, options));
  const create = results.flatMap((result) => result.create);
  const update = results.flatMap((result) => result.update);
  const remove = [...surplus, ...results.flatMap((result) => result.delete)];
  for (const addressType of options.emptyFor) {
    if (!leavesSome(existing, create, remove, addressType))
      create.push(newSlice({ addressType, ports: [], endpoints: [] }, [], options.parent));
  }
  return reuse(create, update, remove, options.parent);
}

function leavesSome(
  existing: readonly EndpointSlice[],
  create: readonly EndpointSlice[],
  remove: readonly EndpointSlice[],
  type: AddressType,
): boolean {
  return (
    create.some((slice) => slice.addressType === type) || existing.some((slice) => slice.addressType === type && !remove.includes(slice))
  );
}

/** A slice to delete takes the contents of one to create: one write instead of two. Contents that are the same need none. */
function reuse(
  create: readonly EndpointSlice[],
  update: EndpointSlice[],
  remove: readonly EndpointSlice[],
  parent: SliceParent,
): SliceChanges {
  const deletes = [...remove];
  const creates = create.filter((slice) => {
    const index = deletes.findIndex(
      (old) => old.addressType === slice.addressType && isOwnedBy(old, parent) && old.metadata.deletionTimestamp === undefined,
    );
    if (index < 0) return true;
    const [old] = deletes.splice(index, 1) as [EndpointSlice];
    const changed = relabeled({ ...old, ports: slice.ports, endpoints: slice.endpoints }, parent);
    if (!semanticEqual(changed, old)) update.push(changed);
    return false;
  });
  return { create: creates, update, delete: deletes };
}

/** One entry per address family and set of ports; an address named twice counts once, the first time. */
function mergeGroups(desired: readonly EndpointGroup[]): Map<string, EndpointGroup> {
  const groups = new Map<string, EndpointGroup & { endpoints: Endpoint[]; seen: Set<string> }>();
  for (const { addressType, ports, endpoints } of desired) {
    if (endpoints.length === 0) continue;
    const key = groupKey(addressType, ports);
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { addressType, ports, endpoints: [], seen: new Set() }));
    for (const endpoint of endpoints) {
      const id = endpointKey(endpoint);
      if (!group.seen.has(id)) group.endpoints.push(endpoint);
      group.seen.add(id);
    }
  }
  return groups;
}

/** Objects are frozen, and those of thousands of endpoints are asked again whenever one of them changes. */
const portTexts = new WeakMap<readonly DiscoveryEndpointPort[], string>();
const keys = new WeakMap<Endpoint, string>();
/** Of a slice's endpoint: one that says the same. */
const alike = new WeakMap<Endpoint, Endpoint>();

/** Equal for the same ports in any order. */
function groupKey(addressType: string, ports: readonly DiscoveryEndpointPort[]): string {
  let text = portTexts.get(ports);
  if (text === undefined) portTexts.set(ports, (text = textOfPorts(ports)));
  return `${addressType} ${text}`;
}

function textOfPorts(ports: readonly DiscoveryEndpointPort[]): string {
  const texts = ports.map(({ name = "", protocol = "TCP", port = "", appProtocol = "" }) => `${name}|${protocol}|${port}|${appProtocol}`);
  return texts.sort().join();
}

/** Who an endpoint is, whatever its conditions (upstream `endpointslice/util/endpointset.go`). No part may contain a `|`. */
function endpointKey(endpoint: Endpoint): string {
  let key = keys.get(endpoint);
  if (key === undefined) keys.set(endpoint, (key = keyOfEndpoint(endpoint)));
  return key;
}

function keyOfEndpoint({ addresses, hostname = "", targetRef: { kind = "", namespace = "", name = "", uid = "" } = {} }: Endpoint): string {
  const address = addresses.length === 1 ? addresses[0] : [...addresses].sort().join();
  return `${address}|${hostname}|${kind}|${namespace}|${name}|${uid}`;
}

interface GroupResult {
  readonly create: EndpointSlice[];
  readonly update: EndpointSlice[];
  readonly delete: EndpointSlice[];
}

interface Kept {
  readonly slice: EndpointSlice;
  readonly endpoints: Endpoint[];
  changed: boolean;
}

function reconcileGroup(existing: readonly EndpointSlice[], group: EndpointGroup, { parent, max }: SliceOptions): GroupResult {
  const left = new Map(group.endpoints.map((endpoint) => [endpointKey(endpoint), endpoint]));
  const kept = existing.map((slice) => keepDesired(slice, left, parent, max));
  const rest = [...left.values()];
  // First into slices that change anyway, the fullest first; then into one with room for all; then into new ones.
  for (const slice of kept
    .filter(({ changed, endpoints }) => changed && endpoints.length > 0)
    .sort((a, b) => b.endpoints.length - a.endpoints.length)) {
    fill(slice, rest, max);
  }
  const create: EndpointSlice[] = [];
  while (rest.length > 0) {
    const roomy = rest.length < max ? fullestWithRoom(kept, rest.length, max) : undefined;
    if (roomy !== undefined) fill(roomy, rest, max);
    else create.push(newSlice(group, rest.splice(0, max), parent));
  }
  const update = kept.filter(({ changed, endpoints }) => changed && endpoints.length > 0);
  return {
    create,
    update: update.map(({ slice, endpoints }) => relabeled({ ...slice, endpoints }, parent)),
    delete: kept.filter(({ endpoints }) => endpoints.length === 0).map(({ slice }) => slice),
  };
}

/** What of a slice stays, in its newest form; takes it out of `left`. */
function keepDesired(slice: EndpointSlice, left: Map<string, Endpoint>, parent: SliceParent, max: number): Kept {
  const endpoints: Endpoint[] = [];
  let changed = !semanticEqual(relabeled(slice, parent).metadata, slice.metadata);
  for (const old of slice.endpoints ?? []) {
    const key = endpointKey(old);
    const wanted = endpoints.length < max ? left.get(key) : undefined;
    if (wanted !== undefined) {
      endpoints.push(wanted);
      left.delete(key);
    }
    if (wanted === undefined || !sameEndpoint(wanted, old)) changed = true;
  }
  return { slice, endpoints, changed };
}

/** Alike but for the pod's resourceVersion in targetRef: that changes with every status write. */
function sameEndpoint(wanted: Endpoint, old: Endpoint): boolean {
  if (alike.get(old) === wanted) return true;
  const same = semanticEqual(withoutVersion(wanted), withoutVersion(old));
  if (same) alike.set(old, wanted);
  return same;
}

function withoutVersion(endpoint: Endpoint): Endpoint {
  if (endpoint.targetRef?.resourceVersion === undefined) return endpoint;
  const { resourceVersion: _, ...targetRef } = endpoint.targetRef;
  return { ...endpoint, targetRef };
}

function fill(kept: Kept, rest: Endpoint[], max: number): void {
  const taken = rest.splice(0, Math.max(0, max - kept.endpoints.length));
  if (taken.length === 0) return;
  kept.endpoints.push(...taken);
  kept.changed = true;
}

function fullestWithRoom(kept: readonly Kept[], room: number, max: number): Kept | undefined {
  const fits = kept.filter(({ endpoints, changed }) => !changed && endpoints.length > 0 && endpoints.length + room <= max);
  return fits.sort((a, b) => b.endpoints.length - a.endpoints.length)[0];
}

function newSlice({ addressType, ports }: EndpointGroup, endpoints: readonly Endpoint[], parent: SliceParent): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      generateName: `${parent.name}-`,
      namespace: parent.namespace,
      labels: parent.labels,
      ...(parent.annotations === undefined || Object.keys(parent.annotations).length === 0 ? {} : { annotations: parent.annotations }),
      ownerReferences: [parent.owner],
    },
    addressType,
    endpoints,
    ports,
  };
}

function relabeled(slice: EndpointSlice, parent: SliceParent): EndpointSlice {
  const annotations = parent.annotations === undefined ? slice.metadata.annotations : parent.annotations;
  return { ...slice, metadata: { ...slice.metadata, labels: parent.labels, ...(annotations === undefined ? {} : { annotations }) } };
}
