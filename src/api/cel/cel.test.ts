import { expect, test } from "vitest";
import { newBudget } from "./budget.ts";
import { celFault, compileCel } from "./environment.ts";
import { celValue } from "./values.ts";

const evaluate = (text: string, self: unknown) => compileCel(text, ["self"])({ self: celValue(self, newBudget()) });

test.each<[string, unknown, unknown]>([
  ["self.items.all(i, i > 0)", { items: [1, 2] }, true],
  ["has(self.items[0].name)", { items: [{ name: "a" }] }, true],
  ["has(self.items[0].name)", { items: [{}] }, false],
  ["self.map(x, x * 2).sum() == 6", [1, 2], true],
  ["self.isSorted() && self.min() == 1 && self.max() == 3 && self.indexOf(2) == 1", [1, 2, 3], true],
  ["self.matches('^(a+)+$')", `${"a".repeat(5000)}!`, false],
  ["self.matches('(?i)^ABC$')", "abc", true],
  ["self == '.matches('", ".matches(", true],
  ["isIP(self) && !isCIDR(self)", "10.0.0.1", true],
  ["self.exists(k, k == 'a') && self['a'] == 1 && 'a' in self", { a: 1 }, true],
  ["size(self) == 2 && self + [3] == [1, 2, 3]", [1, 2], true],
])("%s of %j", (text, self, wanted) => expect(evaluate(text, self)).toBe(wanted));

test("what would go on for ever is cut off", () => {
  const many = Array.from({ length: 1000 }, (_, i) => i);
  expect(evaluate("self.all(a, self.exists(b, a == b))", many.slice(0, 150))).toBe(true);
  expect(() => evaluate("self.all(a, self.all(b, self.all(c, a + b + c >= 0)))", many)).toThrow("cost limit exceeded");
  const map = Object.fromEntries(many.map((i) => [`k${i}`, i]));
  expect(() => evaluate("self.all(a, self.all(b, a != '' && b != ''))", map)).toThrow("cost limit exceeded");
});

test("faults are told as Go tells them", () => {
  try {
    evaluate("self.none == 1", {});
    expect.unreachable();
  } catch (error) {
    expect(celFault(error)).toBe("no such key: none");
  }
  expect(() => compileCel("1 +", [])).toThrow();
  expect(() => compileCel("a".repeat(5000), [])).toThrow("longer than");
});
