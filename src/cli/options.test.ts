import { expect, test } from "vitest";
import { cidrOption, durationOption, listOption, nodeLabelsOption, nodesOption, outputOption, portRangeOption } from "./options.ts";

test.each([
  ["500ms", 500],
  ["2", 2000],
  ["1.5s", 1500],
  ["3m", 180_000],
  ["1h", 3_600_000],
])("duration %s", (text, ms) => expect(durationOption(text)).toBe(ms));

test.each(["", "s", "-1s", "1d", "1 s"])("duration %j is refused", (text) => expect(() => durationOption(text)).toThrow("no duration"));

test("ranges of addresses and ports", () => {
  const cidr = cidrOption("--service-cluster-ip-range");
  expect(cidr("169.169.0.0/16")).toBe("169.169.0.0/16");
  expect(cidr("10.96.0.0/12,fd00::/112")).toBe("10.96.0.0/12,fd00::/112");
  expect(() => cidr("10.96.0.0/33")).toThrow('"10.96.0.0/33" is no address range');
  expect(portRangeOption("30000-32767")).toBe("30000-32767");
  for (const bad of ["1", "2-1", "0-5", "1-70000", "a-b"]) expect(() => portRangeOption(bad)).toThrow("no port range");
});

test("lists and output formats", () => {
  expect(listOption("c", listOption("a,b"))).toEqual(["a", "b", "c"]);
  expect(outputOption("json")).toBe("json");
  expect(() => outputOption("yaml")).toThrow("unknown output format");
});

test.each<[string, Readonly<Record<string, Readonly<Record<string, string>>>>]>([
  ["disk=ssd", { "*": { disk: "ssd" } }],
  ["node-2:topology.kubernetes.io/zone=b,disk=hdd", { "node-2": { "topology.kubernetes.io/zone": "b", disk: "hdd" } }],
])("--node-labels %s", (value, wanted) => {
  expect(nodeLabelsOption(value, {})).toEqual(wanted);
});

test("--node-labels adds up, the later value wins", () => {
  expect(nodeLabelsOption("node-1:a=2", nodeLabelsOption("node-1:a=1,b=1", {}))).toEqual({ "node-1": { a: "2", b: "1" } });
});

test.each(["zone", "a=b=c", "node-1:a b=c", "=x"])("--node-labels %s is refused", (value) => {
  expect(() => nodeLabelsOption(value, {})).toThrow("--node-labels");
});

test.each(["0", "-1", "5001", "three", "1e2"])("--nodes %s is refused", (value) => {
  expect(() => nodesOption(value)).toThrow("number of nodes");
});
