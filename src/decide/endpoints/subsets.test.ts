import { describe, expect, test } from "vitest";
import type { EndpointSubset, Service } from "../../api/types.ts";
import { selectEndpoints } from "./select.ts";
import { mirrorSubsets } from "./mirror.ts";
import { withHints } from "./hints.ts";
import { subsetsOf, truncateSubsets } from "./subsets.ts";
import { oneNode, testPod, testService, type PodFacts } from "./testing.ts";

const subsets = (spec: Partial<NonNullable<Service["spec"]>>, ...pods: readonly PodFacts[]) => {
  const service = testService(spec);
  return subsetsOf(service, selectEndpoints(service, pods.map(testPod), oneNode));
};
const ips = (list: EndpointSubset["addresses"]) => list?.map(({ ip }) => ip);

describe("subsets", () => {
  test("ready and not ready apart, sorted; terminating pods in neither", () => {
    const [subset, ...more] = subsets(
      {},
      { name: "b", ip: "127.97.0.2" },
      { name: "a", ip: "127.97.0.1" },
      { name: "c", ip: "127.97.0.3", ready: false },
      { name: "d", ip: "127.97.0.4", terminating: true },
    );
    expect(more).toEqual([]);
    expect(ips(subset?.addresses)).toEqual(["127.97.0.1", "127.97.0.2"]);
    expect(ips(subset?.notReadyAddresses)).toEqual(["127.97.0.3"]);
    expect(subset?.ports).toEqual([{ name: "http", port: 8080, protocol: "TCP" }]);
  });

  test("publishNotReadyAddresses takes all in", () => {
    const [subset] = subsets({ publishNotReadyAddresses: true }, { ready: false }, { name: "d", ip: "127.97.0.4", terminating: true });
    expect(ips(subset?.addresses)).toEqual(["127.97.0.1", "127.97.0.4"]);
  });

  test("pods with another number behind a named port have a subset of their own", () => {
    const named = { ports: [{ port: 80, targetPort: "http" }] };
    const found = subsets(
      named,
      { name: "a", ports: { http: 1000 } },
      { name: "b", ip: "127.97.0.2", ports: { http: 2000 } },
      { name: "c", ip: "127.97.0.3", ports: {} },
    );
    expect(found.map(({ ports, addresses }) => [ports?.[0]?.port, ips(addresses)])).toEqual([
      [1000, ["127.97.0.1"]],
      [2000, ["127.97.0.2"]],
    ]);
  });

  test("a headless Service may have no ports", () => {
    expect(subsets({ clusterIP: "None", ports: [] }, {})).toEqual([{ addresses: [expect.objectContaining({ ip: "127.97.0.1" })] }]);
  });
});

describe("at most so many addresses", () => {
  const subset = (ready: number, notReady: number, port: number): EndpointSubset => ({
    addresses: Array.from({ length: ready }, (_, i) => ({ ip: `10.${port}.0.${i}` })),
    notReadyAddresses: Array.from({ length: notReady }, (_, i) => ({ ip: `10.${port}.1.${i}` })),
    ports: [{ port, protocol: "TCP" }],
  });
  const sizes = (list: readonly EndpointSubset[]) =>
    list.map(({ addresses, notReadyAddresses }) => [addresses?.length ?? 0, notReadyAddresses?.length ?? 0]);

  test.each([
    ["all fit", [subset(4, 2, 1)], [[4, 2]], false],
    ["unready ones give", [subset(8, 6, 1), subset(0, 2, 2)], [[8, 2]], true],
    [
      "ready ones give in proportion",
      [subset(20, 5, 1), subset(10, 5, 2)],
      [
        [7, 0],
        [3, 0],
      ],
      true,
    ],
  ] as const)("%s", (_, before, after, truncated) => {
    const result = truncateSubsets(before, 10);
    expect(sizes(result.subsets)).toEqual(after);
    expect(result.truncated).toBe(truncated);
  });
});

describe("mirroring", () => {
  test("a group per subset and family; what is no address is counted", () => {
    const { groups, invalid, beyondMax } = mirrorSubsets(
      [
        {
          addresses: [{ ip: "10.0.0.1", hostname: "a" }, { ip: "fd00::1" }, { ip: "nonsense" }],
          notReadyAddresses: [{ ip: "10.0.0.2" }],
          ports: [{ port: 80 }],
        },
      ],
      1000,
    );
    expect(groups).toEqual([
      {
        addressType: "IPv4",
        ports: [{ name: "", port: 80, protocol: "TCP" }],
        endpoints: [
          { addresses: ["10.0.0.1"], conditions: { ready: true }, hostname: "a" },
          { addresses: ["10.0.0.2"], conditions: { ready: false } },
        ],
      },
      {
        addressType: "IPv6",
        ports: [{ name: "", port: 80, protocol: "TCP" }],
        endpoints: [{ addresses: ["fd00::1"], conditions: { ready: true } }],
      },
    ]);
    expect([invalid, beyondMax]).toEqual([1, 0]);
  });

  test("no more than the maximum of a subset", () => {
    expect(mirrorSubsets([{ addresses: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2" }, { ip: "10.0.0.3" }] }], 2)).toMatchObject({
      beyondMax: 1,
      groups: [{ endpoints: [{}, {}] }],
    });
  });
});

test.each([
  ["PreferClose", true, { forZones: [{ name: "a" }] }],
  ["PreferSameZone", true, { forZones: [{ name: "a" }] }],
  ["PreferSameNode", true, { forZones: [{ name: "a" }], forNodes: [{ name: "n" }] }],
  ["PreferSameZone", false, undefined],
  [undefined, true, undefined],
])("hints for trafficDistribution %s, ready %s", (distribution, ready, hints) => {
  const endpoint = { addresses: ["10.0.0.1"], conditions: { ready }, zone: "a", nodeName: "n" };
  expect(withHints(endpoint, distribution).hints).toEqual(hints);
});
