import { expect, test } from "vitest";
import { cidrOption, durationOption, listOption, outputOption, portRangeOption } from "./options.ts";

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
