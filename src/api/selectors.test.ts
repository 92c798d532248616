import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatSelector,
  matchesFields,
  matchesLabels,
  mismatches,
  parseFieldSelector,
  parseLabelSelector,
  selectorOf,
  selectorOfMap,
  selectsEverything,
  validateLabelSelector,
} from "./selectors.ts";

const parsed = (text: string) => {
  const result = parseLabelSelector(text);
  if (result.kind === "error") throw new Error(result.message);
  return result.selector;
};

describe("label selectors as text", () => {
  test.each([
    ["app=web", { app: "web" }, true],
    ["app==web", { app: "api" }, false],
    ["app!=web", {}, true],
    ["app", { app: "" }, true],
    ["!app", { app: "" }, false],
    ["tier in (a, b)", { tier: "b" }, true],
    ["tier notin (a,b)", { tier: "b" }, false],
    ["tier notin (a,b)", {}, true],
    ["n>5", { n: "6" }, true],
    ["n<5", { n: "6" }, false],
    ["n>5", { n: "x" }, false],
    ["app=", { app: "" }, true],
    ["", { any: "thing" }, true],
    ["app=web,!legacy, tier in (front)", { app: "web", tier: "front" }, true],
    ["in=notin", { in: "notin" }, true],
    ["constructor", {}, false],
  ])("%j on %j: %j", (text, labels, want) => expect(matchesLabels(parsed(text), labels as Record<string, string>)).toBe(want));

  test.each(["app=web,", ",", "app in", "app in (a", "app=a=b", "(a)", "!", "a b", "n>x", "-a=b", "app=!!", `app=${"v".repeat(64)}`])(
    "%j is refused with a reason",
    (text) => {
      const result = parseLabelSelector(text);
      expect(result.kind).toBe("error");
    },
  );

  test("what is written reads back the same", () => {
    for (const text of ["a=b,c!=d,e,!f,g in (h,i),j notin (k),l>3,m<4"]) expect(formatSelector(parsed(text))).toBe(text);
  });

  test("no text makes the parser throw", () => fc.assert(fc.property(fc.string(), (text) => void parseLabelSelector(text))));
});

describe("selectors as objects", () => {
  test("absent selects nothing, empty everything", () => {
    expect(matchesLabels(selectorOf(undefined), { a: "b" })).toBe(false);
    expect(selectsEverything(selectorOf({}))).toBe(true);
    expect(matchesLabels(selectorOfMap(undefined), {})).toBe(false);
    expect(matchesLabels(selectorOf({ matchExpressions: [{ key: "a", operator: "Near", values: [] }] }), { a: "b" })).toBe(false);
  });

  test("pairs and expressions must all be met", () => {
    const selector = selectorOf({ matchLabels: { app: "web" }, matchExpressions: [{ key: "tier", operator: "NotIn", values: ["back"] }] });
    expect(matchesLabels(selector, { app: "web" })).toBe(true);
    expect(matchesLabels(selector, { app: "web", tier: "back" })).toBe(false);
    expect(mismatches(selector, { app: "webapp", tier: "back" })).toEqual([
      { key: "app", wanted: "app=web", found: "webapp" },
      { key: "tier", wanted: "tier notin (back)", found: "back" },
    ]);
  });

  test("faults are named at their field", () => {
    const errors = validateLabelSelector(
      {
        matchExpressions: [
          { key: "a b", operator: "In" },
          { key: "x", operator: "Exists", values: ["1"] },
          { key: "y", operator: "Near" },
        ],
      },
      "spec.selector",
    );
    expect(errors.map(({ type, field }) => `${type} ${field}`)).toEqual([
      "FieldValueRequired spec.selector.matchExpressions[0].values",
      "FieldValueInvalid spec.selector.matchExpressions[0].key",
      "FieldValueForbidden spec.selector.matchExpressions[1].values",
      "FieldValueInvalid spec.selector.matchExpressions[2].operator",
    ]);
  });
});

describe("field selectors", () => {
  const fields = (text: string) => {
    const result = parseFieldSelector(text);
    return result.kind === "ok" ? result.selector : result.message;
  };
  test("terms, and escapes in values", () => {
    expect(fields("metadata.name=web,status.phase!=Running")).toEqual([
      { field: "metadata.name", operator: "=", value: "web" },
      { field: "status.phase", operator: "!=", value: "Running" },
    ]);
    expect(fields(String.raw`a==x\,y\=z\\`)).toEqual([{ field: "a", operator: "=", value: String.raw`x,y=z\ `.trim() }]);
    expect(fields("")).toEqual([]);
    expect(fields("nonsense")).toContain("can't understand 'nonsense'");
    expect(fields("a=b=c")).toContain("unescaped");
  });
  test("matching", () => {
    const result = parseFieldSelector("a=1,b!=2");
    if (result.kind === "error") throw new Error(result.message);
    expect(matchesFields(result.selector, (field) => (field === "a" ? "1" : "3"))).toBe(true);
    expect(matchesFields(result.selector, () => "2")).toBe(false);
  });
});

test.each([
  ["=x", "found '=', expected: !, identifier, or 'end of string'"],
  ["a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  ["a,", "found '', expected: identifier after ','"],
  ["a=b c", "found 'c', expected: ',' or 'end of string'"],
  ["!=a", "found '!=', expected: !, identifier, or 'end of string'"],
  ["!", "unable to parse requirement: found '', expected: identifier"],
  ["a in b", "unable to parse requirement: found 'b' expected: '('"],
  ["a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"],
  ["a in (b=)", "unable to parse requirement: found '=', expected: ',' or ')'"],
  ["a in (b,=)", "unable to parse requirement: found '=', expected: ',', or identifier"],
  ["a=(", "unable to parse requirement: found '(', expected: identifier"],
  ["a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"],
])("the error of %j is upstream's", (text, message) => {
  expect(parseLabelSelector(text)).toEqual({ kind: "error", message });
});

test("keys and values are checked, in upstream's words", () => {
  const message = (text: string) => {
    const parsed = parseLabelSelector(text);
    return parsed.kind === "error" ? parsed.message : "";
  };
  expect(message("-a=b")).toMatch(/^unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of/);
  expect(message("a=-b")).toMatch(/^unable to parse requirement: values\[0\]\[a\]: Invalid value: "-b": a valid label must be/);
});

test.each([
  ["a", "invalid selector: 'a'; can't understand 'a'"],
  [String.raw`a=\x`, String.raw`invalid field selector: invalid escape sequence: \x`],
  ["a=b=c", "invalid field selector: unescaped character in value: 61"],
])("the error of the field selector %j is upstream's", (text, message) => {
  expect(parseFieldSelector(text)).toEqual({ kind: "error", message });
});
