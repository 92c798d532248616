import { expect, test } from "vitest";
import { nodePodCIDRs } from "./pod-ranges.ts";

test.each<[readonly string[], number, number | undefined, readonly string[]]>([
  [["10.244.0.0/16"], 1, undefined, ["10.244.0.0/24"]],
  [["10.244.0.0/16", "fd00:10:244::/56"], 3, undefined, ["10.244.2.0/24", "fd00:10:244:2::/64"]],
  [["10.244.0.0/16"], 1, 20, ["10.244.0.0/20"]],
  [["10.0.0.0/8"], 500, undefined, ["10.1.243.0/24"]],
  [["192.168.7.0/26"], 1, undefined, ["192.168.7.0/26"]],
])("%j, node %i, mask %s", (ranges, index, mask, wanted) => {
  expect(nodePodCIDRs(ranges, index, mask)).toEqual(wanted);
});

test.each<[string, number, number | undefined]>([
  ["192.168.7.0/26", 2, undefined],
  ["10.244.0.0/16", 257, undefined],
  ["10.244.0.0/16", 1, 8],
])("%s has no room for node %i, mask %s", (range, index, mask) => {
  expect(() => nodePodCIDRs([range], index, mask)).toThrow("has no room");
});
