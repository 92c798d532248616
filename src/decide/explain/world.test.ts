/** A world with replacements is the world of the replaced objects: each question has the same answer. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Pod, Service } from "../../api/types.ts";
import { testPod, testService } from "../endpoints/testing.ts";
import { resliced } from "./assume-slices.ts";
import { distanceOf, nearest } from "./nearest.ts";
import { edited } from "./edit.ts";
import { snapshotOf } from "./snapshot.ts";
import { worldOf, worldWith, type World } from "./world.ts";

const names = ["a", "b", "c"];
const addresses = ["127.96.0.1", "127.96.0.2", "127.96.0.3"];
const service = fc
  .record({ name: fc.constantFrom(...names), ip: fc.constantFrom(...addresses), nodePort: fc.constantFrom(30_001, 30_002) })
  .map(({ name, ip, nodePort }): Service => testService({ clusterIP: ip, clusterIPs: [ip], ports: [{ port: 80, nodePort }] }, { name }));
const pod = fc.record({ name: fc.constantFrom(...names), ip: fc.constantFrom(...addresses) }).map((facts): Pod => testPod(facts));

function answers(world: World) {
  const sorted = (objects: readonly { readonly metadata: object }[]) => objects.map((object) => JSON.stringify(object)).toSorted();
  return {
    services: names.map((name) => world.service("default", name)),
    named: names.map((name) => sorted(world.servicesNamed(name))),
    all: sorted(world.servicesIn("default")),
    at: addresses.map((address) => sorted(world.servicesAt(address))),
    ports: [30_001, 30_002].map((port) => sorted(world.servicesWithNodePort(port))),
    pods: names.map((name) => world.pod("default", name)),
    podsIn: sorted(world.podsIn("default")),
    podsAt: addresses.map((address) => sorted(world.podsAt(address))),
    slices: names.map((name) => sorted(world.slicesOf("default", name))),
    lists: [sorted(world.snapshot.services), sorted(world.snapshot.pods), sorted(world.snapshot.endpointSlices)],
  };
}

const unique = <T extends Service | Pod>(objects: readonly T[]): readonly T[] => [
  ...new Map(objects.map((object) => [object.metadata.name, object])).values(),
];

describe("world", () => {
  test("replacements answer as the replaced objects do", () => {
    fc.assert(
      fc.property(fc.array(service), fc.array(pod), service, pod, (before, pods, one, another) => {
        const snapshot = { ...snapshotOf([]), services: unique(before), pods: unique(pods) };
        const slices = new Map(resliced(worldOf(snapshot), one));
        const replaced = worldWith(worldOf(snapshot), { services: [one], pods: [another], slices });
        const without = <T extends Service | Pod>(objects: readonly T[], object: T) => [
          ...objects.filter(({ metadata }) => metadata.name !== object.metadata.name),
          object,
        ];
        const made = {
          ...snapshot,
          services: without(snapshot.services, one),
          pods: without(snapshot.pods, another),
          endpointSlices: [...slices.values()].flat(),
        };
        expect(answers(replaced)).toEqual(answers(worldOf(made)));
      }),
    );
  });

  test("an edit changes its field and nothing else", () => {
    const before = testService({ selector: { "app.kubernetes.io/name": "web", tier: "x" } });
    expect(edited(before, "spec.selector[app.kubernetes.io/name]", "shop").spec?.selector).toEqual({
      "app.kubernetes.io/name": "shop",
      tier: "x",
    });
    expect(edited(before, "spec.selector.tier", undefined).spec?.selector).toEqual({ "app.kubernetes.io/name": "web" });
    expect(edited(before, "spec.ports[0].targetPort", 9).spec?.ports?.[0]).toMatchObject({ port: 80, targetPort: 9 });
    expect(before).toEqual(testService({ selector: { "app.kubernetes.io/name": "web", tier: "x" } }));
  });
});

describe("nearest names", () => {
  test.each([
    ["web", "web", 0],
    ["hostname", "hostnames", 1],
    ["wbe", "web", 1],
    ["Web", "web", 0],
    ["shop", "store", 3],
  ])("%s and %s are %i apart", (a, b, distance) => expect(distanceOf(a, b)).toBe(distance));

  test("the nearest first, strangers not at all", () => {
    expect(nearest("hostname", ["web", "hostnames", "hostname-v2", "store"])).toEqual(["hostnames", "hostname-v2"]);
    expect(nearest("db", ["dc", "web"])).toEqual(["dc"]);
  });

  test("the distance is symmetric and 0 for equals alone, case aside", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
        expect(distanceOf(a, b)).toBe(distanceOf(b, a));
        expect(distanceOf(a, b) === 0).toBe(a.toLowerCase() === b.toLowerCase());
      }),
    );
  });
});
