import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nameTables } from "./name-tables.cases.ts";
import * as names from "./names.ts";

const labelFault =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character " +
  "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

describe("messages are those that clients know", () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ["label", names.dns1123Label("Web"), [labelFault]],
    ["label with dots", names.dns1123Label("a.b"), ["must not contain dots"]],
    ["long label", names.dns1123Label("a".repeat(64)), ["must be no more than 63 characters"]],
    [
      "port name",
      names.portName("web--server-of-mine-"),
      ["must be no more than 15 characters", "must not contain consecutive hyphens", "must not begin or end with a hyphen"],
    ],
    ["port number", names.portNumber(0), ["must be between 1 and 65535, inclusive"]],
    ["empty prefix", names.qualifiedName("/a"), ["prefix part must be non-empty"]],
    ["path", names.pathSegment("a/b%c"), ["may not contain '/'", "may not contain '%'"]],
    ["file name", names.configMapKey(".."), ["must not be '..'"]],
  ])("%s", (_, faults, expected) => expect(faults).toEqual(expected));

  test("a qualified name has at most one slash", () => {
    expect(names.qualifiedName("a/b/c")[0]).toMatch(
      /^a valid label key must consist of .* with an optional DNS subdomain prefix and '\/' \(e\.g\. 'example\.com\/MyName'\)$/,
    );
  });
});

test("every label is a subdomain, every 1035 label an 1123 label", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", "z", "0", "-", ".", "A", "_") }), (text) => {
      if (names.dns1123Label(text).length === 0) expect(names.dns1123Subdomain(text)).toEqual([]);
      if (names.dns1035Label(text).length === 0) expect(names.dns1123Label(text)).toEqual([]);
    }),
  );
});

test("no text makes a rule throw or take long", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (text) => {
      for (const rule of [...Object.values(names.nameRules), names.qualifiedName, names.labelValue, names.relaxedEnvVarName]) rule(text);
    }),
  );
});

test("a prefix may end in a dash", () => {
  expect(names.maskTrailingDash("web-")).toBe("wea");
  expect(names.maskTrailingDash("-")).toBe("-");
});

/** The shared acceptance cases lie beside the repository on the project's own machines; a clone has none. */
const casesFile = "../shared/cases/smp-cases.json";

interface NameTable {
  readonly func: string;
  readonly table: string;
  readonly rows: readonly unknown[];
}

/** Rows may hold an expression of the original language: repetitions, characters by number, and sums of such. */
function textOf(row: unknown): string | undefined {
  if (typeof row === "string") return row;
  const { $call: call, args, $expr: expression } = row as { $call?: string; args?: [string, number]; $expr?: string };
  if (call === "strings.Repeat" && args !== undefined) return args[0].repeat(args[1]);
  return expression?.split(" + ").map(partOf).join("");
}

function partOf(part: string): string {
  const repeat = /^strings\.Repeat\("(.*)", (\d+)\)$/.exec(part);
  if (repeat !== null) return (repeat[1] as string).repeat(Number(repeat[2]));
  const rune = /^string\(rune\((\d+)\)\)$/.exec(part);
  return rune === null ? (JSON.parse(part) as string) : String.fromCodePoint(Number(rune[1]));
}

test.skipIf(!existsSync(casesFile))("the shared name tables (skipped where ../shared/cases is absent)", () => {
  const { nameValidation } = JSON.parse(readFileSync(casesFile, "utf8")) as { nameValidation: readonly NameTable[] };
  const wrong: string[] = [];
  let seen = 0;
  for (const { func, table, rows } of nameValidation) {
    const rule = nameTables[func];
    if (rule === undefined || table === "messageTests") continue;
    const good = /^(good|success)/.test(table);
    for (const row of rows) {
      const text = textOf(row);
      if (text === undefined) continue;
      seen += 1;
      if ((rule(text).length === 0) !== good) wrong.push(`${func} ${table} ${JSON.stringify(text)}`);
    }
  }
  expect(seen).toBeGreaterThan(200);
  expect(wrong).toEqual([]);
});
