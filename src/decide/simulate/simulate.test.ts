import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dnsLoad, usualAssumptions } from "./dns.ts";
import { picture } from "./picture.ts";
import { ruleCounts } from "./rules.ts";
import { simulate } from "./simulate.ts";
import { spread, spreads } from "./spread.ts";
import { distributions, inventWorld, worldOf, type SimulatedService, type World } from "./world.ts";

const nodes = ["a", "a", "b", "b", "b", "b"].map((zone, i) => ({ name: `node-${i}`, zone }));
const service = (on: readonly number[], fields: Partial<SimulatedService> = {}): SimulatedService => ({
  namespace: "default",
  name: "web",
  ports: 1,
  ways: 0,
  distribution: "none",
  internalLocal: false,
  sticky: false,
  endpoints: on.map((node) => ({ node, ready: true })),
  ...fields,
});
const world = (...services: readonly SimulatedService[]): World => ({ nodes, services });
/** A third of the nodes are in zone a, two thirds in zone b. */
const third = 1 / 3;

describe("where traffic goes", () => {
  test("evenly: every endpoint has the same, wherever clients are", () => {
    const { sameNode, sameZone, otherZone, refused, busiest } = spread(world(service([0, 2])));
    expect(busiest.most).toBeCloseTo(1);
    // Each of the two gets half of all; one node in six is its own, of zone a one more and of zone b three more are near.
    expect(sameNode).toBeCloseTo((1 / 6) * 0.5 * 2);
    expect(sameZone).toBeCloseTo((1 / 6) * 0.5 + (3 / 6) * 0.5);
    expect(sameNode + sameZone + otherZone + refused).toBeCloseTo(1);
  });

  test("PreferSameZone: nothing leaves its zone, and the zone with more clients has the busier endpoint", () => {
    const { otherZone, busiest, overloadedCount } = spread(world(service([0, 2])), "PreferSameZone");
    expect([otherZone, overloadedCount]).toEqual([0, 0]);
    expect(busiest.most).toBeCloseTo(2 * 2 * third);
  });

  test("a zone without an endpoint goes elsewhere; few endpoints in a large zone are overloaded and named", () => {
    expect(spread(world(service([0])), "PreferSameZone")).toMatchObject({ otherZone: expect.closeTo(2 * third), refused: 0 });
    const crowded = spread(world(service([0, 0, 0, 2])), "PreferSameZone");
    expect(crowded.overloaded).toEqual([{ service: "default/web", times: expect.closeTo(4 * 2 * third) }]);
  });

  test("PreferSameNode: a node with an endpoint keeps to itself, others to their zone", () => {
    const { sameNode, otherZone } = spread(world(service([0, 2])), "PreferSameNode");
    expect([sameNode, otherZone]).toEqual([expect.closeTo(2 / 6), 0]);
  });

  test("internalTrafficPolicy Local refuses on nodes without an endpoint", () => {
    expect(spread(world(service([0, 2], { internalLocal: true })))).toMatchObject({
      refused: expect.closeTo(4 / 6),
      sameNode: expect.closeTo(2 / 6),
    });
  });

  test("no ready endpoint: all of it is refused", () => {
    const down = service([], { endpoints: [{ node: 0, ready: false }] });
    expect(spread(world(down))).toMatchObject({ refused: 1, busiest: { most: 0 } });
  });

  test("whatever the cluster: all traffic is accounted for, and no distribution makes it go farther", () => {
    const arbitrary = fc.record({
      size: fc.integer({ min: 1, max: 12 }),
      zones: fc.integer({ min: 1, max: 4 }),
      services: fc.array(fc.record({ on: fc.array(fc.nat(11), { maxLength: 6 }), local: fc.boolean() }), { minLength: 1, maxLength: 5 }),
    });
    fc.assert(
      fc.property(arbitrary, ({ size, zones, services }) => {
        const some: World = {
          nodes: Array.from({ length: size }, (_, i) => ({ name: `node-${i}`, zone: `zone-${i % zones}` })),
          services: services.map(({ on, local }) =>
            service(
              on.map((node) => node % size),
              { internalLocal: local },
            ),
          ),
        };
        const all = spreads(some);
        for (const name of distributions) {
          const { sameNode, sameZone, otherZone, refused, busiest } = all[name];
          expect(sameNode + sameZone + otherZone + refused).toBeCloseTo(1);
          expect(busiest.most === 0 || busiest.most >= 1 - 1e-9).toBe(true);
        }
        expect(all.PreferSameZone.otherZone).toBeLessThanOrEqual(all.none.otherZone + 1e-9);
        expect(all.PreferSameNode.sameNode).toBeGreaterThanOrEqual(all.PreferSameZone.sameNode - 1e-9);
      }),
      { numRuns: 100 },
    );
  });
});

describe("what proxies write", () => {
  const counts = (count: number) => ruleCounts(world(...Array.from({ length: count }, (_, i) => service([0, 1, 2], { name: `s${i}` }))));

  test("iptables: a change is the whole table, and the list is gone through to its half; others write what changed", () => {
    const { iptables, ipvs, nftables } = counts(100);
    expect(iptables).toMatchObject({ perChange: iptables.lines, compared: 50 });
    // A Service of three endpoints: its rule in the list, mark and dice in its chain, two rules of each endpoint.
    expect(iptables.lines).toBe(100 * (1 + 1 + 3 + 3 * 2));
    // The element of the cluster IP, that of the Service, and three of endpoints.
    expect(nftables).toMatchObject({ lines: 500, compared: 0 });
    expect([nftables.perChange, ipvs.perChange].every((lines) => lines < 5)).toBe(true);
  });

  test("they grow with the number of Services", () => {
    expect(counts(200).iptables.perChange).toBe(2 * counts(100).iptables.perChange);
    expect(counts(200).nftables.perChange).toBe(counts(100).nftables.perChange);
  });
});

describe("what DNS servers are asked", () => {
  const large = inventWorld({ nodes: 10, zones: 1, services: 100, endpoints: 10, random: () => 0.5 });
  const pods = 100 * 7;

  test("a name outside costs eight questions, one inside two", () => {
    expect(dnsLoad(large, { ...usualAssumptions, outside: 0 }).plain).toBe(pods * 2);
    expect(dnsLoad(large, { ...usualAssumptions, outside: 1 })).toMatchObject({ plain: pods * 8, ndots2: pods * 2 });
  });

  test("a cache on each node asks once for each name in a TTL, and never more than there was", () => {
    const { plain, nodeCache } = dnsLoad(large, usualAssumptions);
    expect(nodeCache).toBeLessThan(plain);
    // All 100 Services and the 50 names outside, on ten nodes, each once in 30 s.
    expect(nodeCache).toBeCloseTo((10 * (100 + 50 * 4) * 2) / 30, 0);
  });
});

describe("the cluster that is simulated", () => {
  test("from a snapshot: Services with a cluster IP, their endpoints by node", () => {
    const found = worldOf({
      nodes: [{ metadata: { name: "n1", labels: { "topology.kubernetes.io/zone": "a" } } }],
      services: [
        {
          metadata: { namespace: "shop", name: "web" },
          spec: { clusterIP: "10.96.0.1", type: "NodePort", ports: [{ port: 80 }], trafficDistribution: "PreferClose" },
        },
        { metadata: { namespace: "shop", name: "db" }, spec: { clusterIP: "None", ports: [{ port: 80 }] } },
        { metadata: { namespace: "shop", name: "alias" }, spec: { type: "ExternalName", externalName: "example.com" } },
      ],
      endpointSlices: [
        {
          metadata: { namespace: "shop", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
          addressType: "IPv4",
          endpoints: [
            { addresses: ["10.0.0.1"], nodeName: "n1" },
            { addresses: ["10.0.0.2"], nodeName: "gone", conditions: { ready: false } },
          ],
        },
        {
          metadata: { namespace: "shop", name: "web-6", labels: { "kubernetes.io/service-name": "web" } },
          addressType: "IPv6",
          endpoints: [{ addresses: ["fd00::1"], nodeName: "n1" }],
        },
      ],
    });
    expect(found.services).toEqual([
      {
        namespace: "shop",
        name: "web",
        ports: 1,
        ways: 1,
        distribution: "PreferSameZone",
        internalLocal: false,
        sticky: false,
        endpoints: [
          { node: 0, ready: true },
          { node: -1, ready: false },
        ],
      },
    ]);
  });

  test("the picture shows each distribution with its shares", () => {
    const svg = picture(simulate(world(service([0, 2]))));
    expect(svg).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    for (const name of distributions) expect(svg).toContain(name);
    expect(svg).toContain("0.0 % other zone");
  });
});
