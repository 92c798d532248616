import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Endpoint, Node } from "../../api/types.ts";
import { testService } from "./testing.ts";
import { wantsZoneHints, zoneHints, zoneShares, type ZoneShares } from "./zone-hints.ts";

const node = (
  name: string,
  zone: string | undefined,
  cpu = "4",
  more: { ready?: boolean; labels?: Readonly<Record<string, string>> } = {},
): Node => ({
  metadata: { name, labels: { ...(zone === undefined ? {} : { "topology.kubernetes.io/zone": zone }), ...more.labels } },
  status: { conditions: [{ type: "Ready", status: more.ready === false ? "False" : "True" }], allocatable: { cpu } },
});
const endpoint = (n: number, zone: string | undefined, ready = true): Endpoint => ({
  addresses: [`10.0.0.${n}`],
  conditions: { ready },
  ...(zone === undefined ? {} : { zone }),
});
const inZones = (...zones: readonly string[]) => zones.map((zone, n) => endpoint(n, zone));
const even = new Map([
  ["a", 0.5],
  ["b", 0.5],
]);
const thirds = new Map(["a", "b", "c"].map((zone) => [zone, 1 / 3]));

test.each([
  [{ "service.kubernetes.io/topology-mode": "Auto" }, true],
  [{ "service.kubernetes.io/topology-aware-hints": "auto" }, true],
  [{ "service.kubernetes.io/topology-mode": "Disabled", "service.kubernetes.io/topology-aware-hints": "Auto" }, false],
  [{ "service.kubernetes.io/topology-mode": "AUTO" }, false],
  [{}, false],
])("%j asks for hints: %s", (annotations, wanted) => {
  expect(wantsZoneHints(testService({}, { annotations }))).toBe(wanted);
});

describe("zones by their CPUs", () => {
  test("nodes that are not ready, and those of the control plane, do not count", () => {
    const nodes = [
      ...[node("1", "a", "2"), node("2", "b", "4"), node("3", "b", "2000m")],
      ...[node("4", "c", "8", { ready: false }), node("5", undefined, "8", { labels: { "node-role.kubernetes.io/control-plane": "" } })],
    ];
    expect(zoneShares(nodes)).toEqual(
      new Map([
        ["a", 0.25],
        ["b", 0.75],
      ]),
    );
  });

  test.each([
    [[node("1", "a"), node("2", undefined)], "node 2 has no label topology.kubernetes.io/zone"],
    [[node("1", "a"), node("2", "b", "0")], "node 2 has no allocatable CPU"],
    [[node("1", "a"), node("2", "a")], "there are ready nodes in one zone only"],
    [[], "there are ready nodes in one zone only"],
  ])("%#: why it cannot be told", (nodes, why) => {
    expect(zoneShares(nodes)).toBe(why);
  });
});

describe("hints", () => {
  const hinted = (endpoints: readonly Endpoint[], shares: ZoneShares) => {
    const found = zoneHints(endpoints, shares);
    return found.kind === "withheld" ? found.why : found.endpoints.map(({ hints }) => hints?.forZones?.[0]?.name ?? "-").join("");
  };

  test.each<readonly [string, readonly Endpoint[], ZoneShares, string]>([
    ["each its own zone", inZones("a", "b", "b", "a"), even, "abba"],
    [
      "a little unevenness is no reason to go elsewhere",
      inZones("a", "a", "a", "a", "a", "a", "b", "b", "b", "b", "b"),
      even,
      "aaaaaabbbbb",
    ],
    ["the last of a full zone go where too few are", inZones("a", "a", "a", "b", "a", "a"), even, "aaabbb"],
    ["those of a zone without nodes go where they are missed", inZones("a", "b", "x", "x"), even, "abba"],
    [
      "as many as just keep the load",
      inZones("a", "a", "a"),
      new Map([
        ["a", 0.8],
        ["b", 0.2],
      ]),
      "aab",
    ],
    ["those that are not ready get none", [...inZones("a", "b"), endpoint(9, "a", false)], even, "ab-"],
    ["fewer than zones", inZones("a", "b"), thirds, "there are fewer endpoints than zones (2 ready endpoints, 3 zones)"],
    ["one that is nowhere", [...inZones("a"), endpoint(9, undefined)], even, "endpoint 10.0.0.9 is in no zone"],
    [
      "too few to be just to all",
      inZones("a", "b", "c", "a"),
      thirds,
      "no distribution keeps every endpoint's load within 1.2 times its part (4 ready endpoints, 3 zones)",
    ],
  ])("%s", (_name, endpoints, shares, expected) => {
    expect(hinted(endpoints, shares)).toBe(expected);
  });

  test("what cannot be told is said", () => {
    expect(zoneHints(inZones("a"), "no node")).toEqual({ kind: "withheld", endpoints: inZones("a"), why: "no node" });
  });

  test("no zone gets fewer than keeps its endpoints from overload, and nobody moves without need", () => {
    const zones = fc.array(fc.constantFrom("a", "b", "c", "x"), { minLength: 1, maxLength: 60 });
    const cpus = fc.tuple(
      ...(["a", "b", "c"] as const).map((zone) => fc.integer({ min: 1, max: 9 }).map((cpu) => node(zone, zone, String(cpu)))),
    );
    fc.assert(
      fc.property(zones, cpus, (list, nodes) => {
        const shares = zoneShares(nodes) as ZoneShares;
        const found = zoneHints(inZones(...list), shares);
        if (found.kind === "withheld") return;
        const got = found.endpoints.map(({ hints }) => hints?.forZones?.[0]?.name ?? "");
        for (const [zone, share] of shares) {
          const count = got.filter((name) => name === zone).length;
          expect((share * list.length) / count).toBeLessThanOrEqual(1.2 + 1e-9);
        }
        const enough = [...shares].every(([zone, share]) => list.filter((own) => own === zone).length * 1.2 + 1e-9 >= share * list.length);
        if (enough && !list.includes("x")) expect(got).toEqual(list);
      }),
    );
  });
});
