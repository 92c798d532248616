import { expect, test } from "vitest";
import type { Endpoint, Service } from "../../api/types.ts";
import { withheldHints } from "./withheld-hints.ts";

const service = (trafficDistribution?: string): Service => ({
  metadata: { name: "web" },
  spec: trafficDistribution === undefined ? {} : { trafficDistribution },
});
const endpoint = (nodeName: string, hints?: Endpoint["hints"], ready = true): Endpoint => ({
  addresses: ["10.0.0.1"],
  nodeName,
  conditions: { ready },
  ...(hints === undefined ? {} : { hints }),
});
const zoned = endpoint("a", { forZones: [{ name: "z" }] });

test.each<readonly [string, Service, readonly Endpoint[], string | undefined]>([
  ["nothing is asked for", service(), [endpoint("a")], undefined],
  ["all have theirs", service("PreferSameZone"), [zoned], undefined],
  [
    "some nodes have no zone",
    service("PreferSameZone"),
    [zoned, endpoint("b"), endpoint("c"), endpoint("b")],
    "3 of 4 ready endpoints are on nodes without the label topology.kubernetes.io/zone (b, c): they get no hint for trafficDistribution PreferSameZone",
  ],
  ["those that are not ready need none", service("PreferSameZone"), [zoned, endpoint("b", undefined, false)], undefined],
  ["a node without zone is a node", service("PreferSameNode"), [endpoint("a", { forNodes: [{ name: "a" }] })], undefined],
  [
    "many nodes",
    service("PreferClose"),
    ["a", "b", "c", "d", "e"].map((name) => endpoint(name)),
    "5 of 5 ready endpoints are on nodes without the label topology.kubernetes.io/zone (a, b, c and 2 more): they get no hint for trafficDistribution PreferClose",
  ],
])("%s", (_, object, endpoints, message) => {
  expect(withheldHints(object, [{ endpoints }])).toBe(message);
});
