import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileExpression, type Value } from "./compile.ts";

const names = {
  functions: {
    name: () => "a.example.",
    client_ip: () => "10.0.0.7",
    fail: (): Value => {
      throw new TypeError("no");
    },
  },
  variables: new Set(["n"]),
};

function run(text: string, scope: Record<string, Value> = {}): Value {
  const compiled = compileExpression(text, names);
  if (compiled.kind === "error") throw new Error(compiled.reason);
  return compiled.run(undefined, scope);
}

describe("an expression", () => {
  test.each<[string, Value]>([
    ["1 + 2 * 3", 7],
    ["(1 + 2) * 3", 9],
    ["2 ** 3 % 5", 3],
    ["-n + 1", -4],
    ["'a' + \"b\" + `c`", "abc"],
    ["name() == 'a.example.' && n > 4", true],
    ["not (n == 5) or false", false],
    ["n in [1, 5, 9]", true],
    ["n not in [1, 5, 9]", false],
    ["name() endsWith 'example.' and name() startsWith 'a'", true],
    ["name() matches '^[a-c][.]'", true],
    ["name() contains 'amp'", true],
    ["n > 3 ? 'more' : 'less'", "more"],
    ["[1, 2, 3][-1]", 3],
    ["nil ?? 4", 4],
    ["len('abc') + len([1, 2])", 5],
    ["int('12') + 1", 13],
    ["upper(split('a,b', ',')[1])", "B"],
    ["0x10", 16],
    ["false && fail()", false],
  ])("%s", (text, value) => expect(run(text, { n: 5 })).toEqual(value));

  test.each(["", "1 +", "unknown", "what()", "(1", "[1", "1 2", "'open", "a b", "1 ? 2", "@", `${"(".repeat(200)}1${")".repeat(200)}`])(
    "%s is refused before it runs",
    (text) => {
      expect(compileExpression(text, names).kind).toBe("error");
    },
  );

  test.each(["1 && true", "'a' - 1", "'a' < 1", "not 'a'"])("%s fails when it runs", (text) => expect(() => run(text)).toThrow(TypeError));

  test("of any characters compiles or is refused", () => {
    const part = fc.oneof(
      fc.constantFrom("name()", "(", ")", "[", "]", "n", "1", "'x'", "==", "and", "not", "in", "?", ":", "+", "-", ","),
      fc.string({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (parts) => void compileExpression(parts.join(" "), names)),
      { numRuns: 2000 },
    );
  });
});
