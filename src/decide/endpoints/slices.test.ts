import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DiscoveryEndpointPort, Endpoint, EndpointSlice } from "../../api/types.ts";
import { reconcileSlices, type EndpointGroup, type SliceChanges, type SliceOptions } from "./slices.ts";
import { sliceParentOfService } from "./slice-metadata.ts";
import { testService } from "./testing.ts";

const parent = sliceParentOfService(testService());
const options = (max: number): SliceOptions => ({ parent, emptyFor: ["IPv4"], max });
const httpPort: readonly DiscoveryEndpointPort[] = [{ name: "http", protocol: "TCP", port: 8080 }];

const endpoint = (id: number, ready = true): Endpoint => ({
  addresses: [`10.0.${id >> 8}.${id & 255}`],
  conditions: { ready, serving: ready, terminating: false },
  targetRef: { kind: "Pod", name: `p${id}`, uid: `u${id}` },
});

const group = (endpoints: readonly Endpoint[], ports = httpPort): EndpointGroup => ({ addressType: "IPv4", ports, endpoints });
const range = (from: number, to: number): readonly Endpoint[] => Array.from({ length: to - from }, (_, i) => endpoint(from + i));

/** What the server has after the changes were written. */
function apply(existing: readonly EndpointSlice[], changes: SliceChanges): readonly EndpointSlice[] {
  const names = new Map(existing.map((slice) => [slice.metadata.name, slice]));
  for (const slice of changes.delete) names.delete(slice.metadata.name);
  for (const slice of changes.update) names.set(slice.metadata.name, slice);
  changes.create.forEach((slice, i) => {
    const name = `${slice.metadata.generateName}${names.size}-${i}-${existing.length}`;
    names.set(name, { ...slice, metadata: { ...slice.metadata, name, resourceVersion: "1" } });
  });
  return [...names.values()];
}

const from = (...groups: readonly EndpointGroup[]) => apply([], reconcileSlices([], groups, options(100)));
const addresses = (slices: readonly EndpointSlice[]) =>
  slices.flatMap(({ endpoints = [] }) => endpoints.flatMap((each) => each.addresses)).sort();
const writes = ({ create, update, delete: gone }: SliceChanges) => [create.length, update.length, gone.length];

describe("few writes", () => {
  test("250 endpoints fill slices of 100", () => {
    const slices = from(group(range(0, 250)));
    expect(slices.map(({ endpoints }) => endpoints?.length)).toEqual([100, 100, 50]);
    expect(slices[0]?.metadata).toMatchObject({
      generateName: "web-",
      labels: { "kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" },
      ownerReferences: [{ kind: "Service", name: "web", uid: "uid-service", controller: true, blockOwnerDeletion: true }],
    });
  });

  test("a changed endpoint writes its slice only", () => {
    const slices = from(group(range(0, 250)));
    const changed = range(0, 250).map((each, i) => (i === 120 ? endpoint(120, false) : each));
    const changes = reconcileSlices(slices, [group(changed)], options(100));
    expect(writes(changes)).toEqual([0, 1, 0]);
  });

  test("a newcomer goes into the fullest slice with room", () => {
    const changes = reconcileSlices(from(group(range(0, 250))), [group(range(0, 251))], options(100));
    expect(writes(changes)).toEqual([0, 1, 0]);
    expect(changes.update[0]?.endpoints).toHaveLength(51);
  });

  test("a newcomer fills the slice that changes anyway", () => {
    const changes = reconcileSlices(from(group(range(0, 250))), [group(range(1, 251))], options(100));
    expect(writes(changes)).toEqual([0, 1, 0]);
    expect(changes.update[0]?.endpoints?.map(({ addresses: [address] }) => address)).toContain("10.0.0.250");
  });

  test("a pod's new resourceVersion in targetRef is no change", () => {
    const slices = from(group([endpoint(1)]));
    const newer = { ...endpoint(1), targetRef: { ...endpoint(1).targetRef, resourceVersion: "9" } };
    expect(writes(reconcileSlices(slices, [group([newer])], options(100)))).toEqual([0, 0, 0]);
  });

  test("without endpoints one empty slice stays, and stays untouched", () => {
    const slices = from();
    expect(slices).toMatchObject([{ endpoints: [], ports: [], addressType: "IPv4" }]);
    expect(writes(reconcileSlices(slices, [], options(100)))).toEqual([0, 0, 0]);
  });

  test("the first endpoint takes the empty slice over, the last one gives it back", () => {
    const up = reconcileSlices(from(), [group([endpoint(1)])], options(100));
    expect(writes(up)).toEqual([0, 1, 0]);
    const down = reconcileSlices(apply(from(), up), [], options(100));
    expect(writes(down)).toEqual([0, 1, 0]);
    expect(down.update[0]).toMatchObject({ endpoints: [], ports: [] });
  });

  test("other ports, other slice", () => {
    const other = [{ name: "http", protocol: "TCP", port: 9090 }];
    const slices = from(group([endpoint(1)]), group([endpoint(2)], other));
    expect(slices.map(({ ports }) => ports?.[0]?.port).sort()).toEqual([8080, 9090]);
  });

  test("slices of a former Service of the name are replaced, not taken over", () => {
    const [old] = from(group([endpoint(1)]));
    const foreign = { ...old, metadata: { ...old?.metadata, ownerReferences: [{ ...parent.owner, uid: "other" }] } } as EndpointSlice;
    expect(writes(reconcileSlices([foreign], [group([endpoint(1)])], options(100)))).toEqual([1, 0, 1]);
  });

  test("new labels of the Service go onto every slice", () => {
    const labeled = sliceParentOfService(testService({}, { labels: { team: "a", "kubernetes.io/service-name": "forged" } }));
    const changes = reconcileSlices(from(group(range(0, 150))), [group(range(0, 150))], { ...options(100), parent: labeled });
    expect(writes(changes)).toEqual([0, 2, 0]);
    expect(changes.update[0]?.metadata.labels).toMatchObject({ team: "a", "kubernetes.io/service-name": "web" });
  });
});

describe("laws", () => {
  const ids = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 40 });
  const state = fc.record({ ids, ready: fc.array(fc.boolean(), { minLength: 61, maxLength: 61 }), split: fc.integer({ min: 1, max: 4 }) });
  const groupsOf = ({ ids: all, ready, split }: { ids: number[]; ready: boolean[]; split: number }) =>
    Array.from({ length: split }, (_, i) =>
      group(
        all.filter((id) => id % split === i).map((id) => endpoint(id, ready[id])),
        [{ name: "http", protocol: "TCP", port: 8000 + i }],
      ),
    );

  test("the result is what was wanted, no slice is too full, and a second pass writes nothing", () => {
    fc.assert(
      fc.property(state, state, fc.integer({ min: 1, max: 9 }), (before, after, max) => {
        const existing = apply([], reconcileSlices([], groupsOf(before), options(max)));
        const changes = reconcileSlices(existing, groupsOf(after), options(max));
        const result = apply(existing, changes);
        expect(addresses(result)).toEqual(after.ids.map((id) => endpoint(id).addresses[0]).sort());
        expect(Math.max(0, ...result.map(({ endpoints }) => endpoints?.length ?? 0))).toBeLessThanOrEqual(max);
        for (const slice of result)
          for (const each of slice.endpoints ?? [])
            expect(each.conditions?.ready).toBe(after.ready[Number(each.targetRef?.name?.slice(1))]);
        expect(writes(reconcileSlices(result, groupsOf(after), options(max)))).toEqual([0, 0, 0]);
      }),
    );
  });

  test("no more new slices than the newcomers need", () => {
    fc.assert(
      fc.property(ids, ids, fc.integer({ min: 1, max: 9 }), (before, after, max) => {
        const existing = apply([], reconcileSlices([], [group(before.map((id) => endpoint(id)))], options(max)));
        const { create, update } = reconcileSlices(existing, [group(after.map((id) => endpoint(id)))], options(max));
        const added = after.filter((id) => !before.includes(id)).length;
        const removed = before.filter((id) => !after.includes(id)).length;
        expect(create.length).toBeLessThanOrEqual(Math.max(1, Math.ceil(added / max)));
        expect(create.length + update.length).toBeLessThanOrEqual(Math.max(1, removed + Math.ceil(added / max)));
      }),
    );
  });
});
