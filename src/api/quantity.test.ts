import fc from "fast-check";
import { expect, test } from "vitest";
import { addQuantities, compareQuantities, formatQuantity, parseQuantity, quantityUnits, type Quantity } from "./quantity.ts";
import { percentOf, scaledValue } from "./int-or-string.ts";

const q = (text: string) => parseQuantity(text) as Quantity;

test.each([
  ["0", "0"],
  ["100m", "100m"],
  ["1000m", "1"],
  ["0.5", "500m"],
  ["1.5Gi", "1536Mi"],
  ["1024", "1024"],
  ["1024Ki", "1Mi"],
  ["1k", "1k"],
  ["1500", "1500"],
  ["2000", "2k"],
  ["1e3", "1e3"],
  ["12e6", "12e6"],
  ["-1.5", "-1500m"],
  ["+5", "5"],
  [".5", "500m"],
  ["5.", "5"],
  ["0.0000000001", "1n"],
  ["1Ki", "1Ki"],
  ["100E", "100E"],
  ["9Ei", "9223372036854775807"],
])("%s is written %s", (text, canonical) => expect(formatQuantity(q(text))).toBe(canonical));

test.each(["", ".", "1KI", "1 Gi", "abc", "1.2.3", "--1", "1e", "0x10", "1ki", "1".repeat(300)])("%j is refused", (text) =>
  expect(parseQuantity(text)).toBeUndefined(),
);

test("values compare and add exactly, whatever their suffix", () => {
  expect(compareQuantities(q("1Gi"), q("1G"))).toBe(1);
  expect(compareQuantities(q("1000m"), q("1"))).toBe(0);
  expect(formatQuantity(addQuantities(q("100m"), q("0.9")))).toBe("1");
  expect(quantityUnits(q("100m"))).toBe(1n);
  expect(quantityUnits(q("1.5Ki"))).toBe(1536n);
});

test("the canonical text has the same value", () => {
  fc.assert(
    fc.property(fc.bigInt(-(10n ** 18n), 10n ** 18n), fc.constantFrom("", "m", "k", "Ki", "Mi", "e2"), (number, suffix) => {
      const quantity = q(`${number}${suffix}`);
      expect(compareQuantities(q(formatQuantity(quantity)), quantity)).toBe(0);
    }),
  );
});

test("shares of a total", () => {
  expect(scaledValue("25%", 10, true)).toBe(3);
  expect(scaledValue("25%", 10, false)).toBe(2);
  expect(scaledValue(4, 10, false)).toBe(4);
  expect(() => scaledValue("4", 10, false)).toThrow("not a percentage");
  expect(percentOf("110%")).toBe(110);
});
