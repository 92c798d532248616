import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { leadingPattern, wholePattern } from "./pattern.ts";

function whole(pattern: string, text: string): boolean {
  const result = wholePattern(pattern);
  if (result.kind === "bad") throw new Error(result.why);
  return result.pattern.test(text);
}

describe("patterns mean what they mean elsewhere", () => {
  test.for([
    ["/v[0-9]+/users/[^/]+", "/v1/users/a", true],
    ["/v[0-9]+/users/[^/]+", "/v1/users/a/b", false],
    ["/a{2,3}", "/aaa", true],
    ["/a{2,3}", "/aaaa", false],
    ["/a{2,}", "/aaaaaa", true],
    ["/a{2}", "/a", false],
    ["(?:ab){2}c?", "ababc", true],
    ["[a\\]]+", "a]a", true],
    ["[]a]", "]", true],
    ["a|bc", "bc", true],
    ["a|bc", "abc", false],
    ["\\d+\\.\\w*", "12.x", true],
    ["/x{y}", "/x{y}", true],
    ["", "", true],
    ["(?i)/Ab", "/aB", true],
  ] as const)("%s on %s: %s", ([pattern, text, wanted]) => expect(whole(pattern, text)).toBe(wanted));

  test("counted repeats are those of JavaScript", () => {
    const atom = fc.constantFrom("a", "[ab]", "(?:ab|c)", "\\d", ".");
    const count = fc.constantFrom("", "{2}", "{0,2}", "{1,3}", "{2,}", "*", "+", "?", "{0}");
    const piece = fc.tuple(atom, count).map(([left, right]) => left + right);
    const text = fc.array(fc.constantFrom("a", "b", "c", "1"), { maxLength: 8 }).map((all) => all.join(""));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 4 }), text, (pieces, given) => {
        expect(whole(pieces.join(""), given)).toBe(new RegExp(`^(?:${pieces.join("")})$`).test(given));
      }),
    );
  });
});

test("ingress-nginx's: from the beginning, either case, with groups", () => {
  const result = leadingPattern("/something(/|$)(.*)");
  expect(result.kind === "ok" && result.pattern.exec("/SOMEthing/new?x")?.slice(1)).toEqual(["/", "new?x"]);
});

test.for([
  ["(a)\\1", "refers back"],
  ["(?=a)", "looks around"],
  ["a(?i)b", "sets flags"],
  ["(a){3}", "captures"],
  ["a{2000}", "cannot be"],
  ["(?:(?:a{100}){100}){100}", "more than"],
  ["[[:alpha:]]", "POSIX"],
  ["(a", "without an end"],
  ["a)", "closes nothing"],
  ["*a", "repeats nothing"],
  ["[a", "without an end"],
  ["a\\", "backslash"],
] as const)("%s is refused by name", ([pattern, why]) => {
  const result = wholePattern(pattern);
  expect(result.kind === "bad" && result.why).toContain(why);
});

test("no text makes a pattern take long: what would need 2^40 steps elsewhere", () => {
  expect(whole("(?:(?:a+)+)+b", "a".repeat(40))).toBe(false);
  expect(whole("(?:a|a|aa)*c", "a".repeat(2000))).toBe(false);
});

test("whatever is written, it is refused or runs", () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 12, unit: fc.constantFrom(..."ab(){}[]^$\\|*+?-,12:d") }),
      fc.string({ maxLength: 8 }),
      (pattern, text) => {
        const result = wholePattern(pattern);
        if (result.kind === "ok") expect(typeof result.pattern.test(text)).toBe("boolean");
      },
    ),
  );
});
