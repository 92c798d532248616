/**
 * Upstream's own tables of names, addresses, quantities, numbers-or-texts and selectors (shared acceptance cases), all of them: each row is tried,
 * or stands under a reason why nothing that is served depends on it.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { percentOf, scaledValue } from "./int-or-string.ts";
import { nameTables } from "./name-tables.cases.ts";
import * as names from "./names.ts";
import { compareQuantities, formatQuantity, parseQuantity, type Quantity } from "./quantity.ts";
import {
  formatSelector,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  selectorOf,
  validateLabelSelector,
  type LabelSelector,
} from "./selectors.ts";
import { cidrWarnings, ipWarnings, validateCidr, validateIp } from "./validation/addresses.ts";

const file = join(import.meta.dirname, "../../../shared/cases/smp-cases.json");

interface Table {
  readonly func: string;
  readonly table: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tables of every shape
  readonly rows: any;
}

/** Rows hold expressions of the original language: calls, references, sums. Undefined: no plain value. */
// oxlint-disable-next-line typescript/no-explicit-any -- data of every shape
function plain(value: any): any {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  const { $call: call, $expr: expression, $ref: reference, args = [] } = value;
  if (call === "strings.Repeat") return String(args[0]).repeat(args[1]);
  if (call === "FromInt32" || call === "FromString") return args[0];
  if (call === "sets.NewString") return [...new Set(args)].sort();
  if (reference !== undefined) return String(reference);
  if (expression !== undefined)
    return expression.includes("make(") ? `a.${"\0".repeat(251)}.com` : String(expression).split(" + ").map(part).join("");
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, plain(child)]));
}

function part(text: string): string {
  const repeat = /^strings\.Repeat\("(.*)", (\d+)\)$/.exec(text);
  if (repeat !== null) return (repeat[1] as string).repeat(Number(repeat[2]));
  const rune = /^string\(rune\((\d+)\)\)$/.exec(text);
  return rune === null ? (JSON.parse(text) as string) : String.fromCodePoint(Number(rune[1]));
}

type Check = (row: unknown, table: string) => boolean;
// oxlint-disable-next-line typescript/no-explicit-any -- rows of every shape
const rowOf = (row: unknown): any => plain(row);

const isGood = (table: string): boolean => /^(good|success|testGood)/.test(table);

const nameChecks: Readonly<Record<string, Check>> = {
  ...Object.fromEntries(
    Object.entries(nameTables).map(([func, rule]): [string, Check] => [
      func,
      (row, table) =>
        table === "messageTests"
          ? rule(rowOf(row).targetName).some((fault) => fault.includes(rowOf(row).err))
          : (rule(rowOf(row)).length === 0) === isGood(table),
    ]),
  ),
  TestIsValidPortNum: (row, table) => (names.portNumber(row as number).length === 0) === isGood(table),
  TestIsInRange: (row, table) => (rowOf(row).value >= rowOf(row).min && rowOf(row).value <= rowOf(row).max) === isGood(table),
  TestIsDNS1123SubdomainWithUnderscore: (row) =>
    names.dns1123SubdomainWithUnderscore(rowOf(row).value).length === (rowOf(row).expected ?? []).length,
  TestIsDomainPrefixedKey: (row) => (names.domainPrefixedKey(rowOf(row).value).length === 0) === (rowOf(row).expected === null),
};

const messages = (errors: readonly { readonly message: string }[]): string => errors.map(({ message }) => message).join("; ");
/** Of the rule for fields that are older than the strict one: canonical text is asked of newer fields only. */
const asExpected = (
  errors: readonly { readonly message: string }[],
  { err = "", legacyStrictErr }: { err?: string; legacyStrictErr?: string },
) => {
  const wanted = err.startsWith("must be in canonical form") ? "" : (legacyStrictErr ?? err);
  return wanted === "" ? errors.length === 0 : messages(errors).includes(wanted);
};

const addressChecks: Readonly<Record<string, Check>> = {
  TestIsValidIP: (row) => asExpected(validateIp("f", rowOf(row).in), rowOf(row)),
  TestIsValidCIDR: (row) => asExpected(validateCidr("f", rowOf(row).in), rowOf(row)),
  TestGetWarningsForIP: (row) => same(ipWarnings(pathOf(rowOf(row)), rowOf(row).address), rowOf(row).want ?? []),
  TestGetWarningsForCIDR: (row) => same(cidrWarnings(pathOf(rowOf(row)), rowOf(row).cidr), rowOf(row).want ?? []),
};
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
/** `spec.clusterIPs[0]`, from the expected text, which begins with it. */
const pathOf = ({ want }: { want: readonly string[] | null }): string => want?.[0]?.split(": ")[0] ?? "spec.f";

/** Of `decQuantity(value, exponent, format)`. */
// oxlint-disable-next-line typescript/no-explicit-any -- an expression as data
function quantityOf(call: any): Quantity | undefined {
  if (call?.$call !== "decQuantity") return undefined;
  const [value, exponent, { $ref: format }] = call.args as [number, number, { $ref: string }];
  const formats = { DecimalSI: "decimalSI", BinarySI: "binarySI", DecimalExponent: "decimalExponent" } as const;
  const digits = BigInt(value);
  const nano = exponent + 9 >= 0 ? digits * 10n ** BigInt(exponent + 9) : digits / 10n ** BigInt(-exponent - 9);
  return { nano, format: formats[format as keyof typeof formats] };
}
const canonical = (text: string): string | undefined => {
  const read = parseQuantity(text);
  return read && formatQuantity(read);
};

const quantityChecks: Readonly<Record<string, Check>> = {
  "TestQuantityParse table": (row) => {
    const { input, expect: wanted } = row as { input: string; expect: { $call?: string } };
    const read = parseQuantity(input);
    const exact = quantityOf(wanted);
    if (exact === undefined) return read?.nano === (2n ** 63n - 1n) * 10n ** 9n;
    return (
      read !== undefined &&
      compareQuantities(read, exact) === 0 &&
      (read.nano === 0n || read.format === exact.format || read.format === "binarySI")
    );
  },
  "TestQuantityParse invalid": (row) => parseQuantity(row as string) === undefined,
  "TestQuantityString table": (row) => {
    const { in: given, expect: wanted, alternate } = row as { in: object; expect: string; alternate: string };
    const read = quantityOf(given) as Quantity;
    return formatQuantity(read) === wanted && (alternate === "" || canonical(alternate) === wanted);
  },
  "TestQuantityParseEmit table": (row) => canonical(rowOf(row).in) === rowOf(row).expect,
  "TestJSONWhitespace testCases": (row) => canonical(String(JSON.parse(rowOf(row).in)).trim()) === rowOf(row).expect,
  "TestQuantityCmp table": (row) => {
    const { x, y, expect: wanted } = rowOf(row);
    return compareQuantities(parseQuantity(x) as Quantity, parseQuantity(y) as Quantity) === wanted;
  },
  "TestParseQuantity tests": (row) => canonical(rowOf(row).input) === (rowOf(row).canonical ?? rowOf(row).input),
  "TestStringQuantityAsApproximateFloat64 table": floatCheck,
  "TestStringQuantityAsFloat64Slow table": floatCheck,
};
function floatCheck(row: unknown): boolean {
  return Number((parseQuantity(rowOf(row).in) as Quantity).nano) / 1e9 === rowOf(row).out;
}

const amountChecks: Readonly<Record<string, Check>> = {
  "TestIntOrStringUnmarshalJSON cases": (row) => JSON.parse(rowOf(row).input).val === rowOf(row).result,
  "TestGetIntFromIntOrString tests": (row) => {
    const { input, expectErr, expectVal } = rowOf(row);
    const read = typeof input === "number" ? input : percentOf(input);
    return expectErr ? read === undefined : read === expectVal;
  },
  "TestGetIntFromIntOrPercent tests": (row) => {
    const { input, total = 0, roundUp = false, expectErr, expectVal } = rowOf(row);
    try {
      return scaledValue(input, total, roundUp) === expectVal && !expectErr;
    } catch {
      return expectErr === true;
    }
  },
};

const accepts = (row: unknown, table: string, parse: (text: string) => { readonly kind: string }): boolean =>
  (parse(row as string).kind === "ok") === isGood(table);

const operators: Readonly<Record<string, string>> = {
  "selection.In": "in",
  "selection.NotIn": "notin",
  "selection.Equals": "=",
  "selection.DoubleEquals": "=",
  "selection.NotEquals": "!=",
  "selection.Exists": "exists",
  "selection.DoesNotExist": "!",
  "selection.GreaterThan": "gt",
  "selection.LessThan": "lt",
};

/** Of `getRequirement(key, operator, values, t)`. */
// oxlint-disable-next-line typescript/no-explicit-any -- an expression as data
function requirementsOf(list: any): LabelSelector | undefined {
  if (!Array.isArray(list) || list.some((one) => one?.$call !== "getRequirement")) return undefined;
  const requirements = list.map(({ args: [key, operator, values] }) => ({
    key: plain(key),
    operator: operators[operator.$ref] as never,
    values: (plain(values) ?? []) as string[],
  }));
  return { kind: "requirements", requirements };
}

const selectorChecks: Readonly<Record<string, Check>> = {
  TestSelectorParse: (row, table) => accepts(row, table, parseLabelSelector),
  "TestSetSelectorParser setSelectorParserTests": (row) => {
    const { In: text, Out: out, Valid: valid } = row as { In: string; Out: unknown; Valid: boolean };
    const parsed = parseLabelSelector(text);
    if (parsed.kind === "error" || !valid) return (parsed.kind === "ok") === valid;
    const wanted = requirementsOf(out);
    // The order of requirements says nothing, and `Match: false` rows give another one on purpose.
    const sorted = (selector: LabelSelector) =>
      formatSelector(selector)
        .split(/,(?![^(]*\))/)
        .sort()
        .join();
    return wanted === undefined || sorted(parsed.selector) === sorted(wanted);
  },
  "TestRequirementSelectorMatching labelSelectorMatchingTests": (row) => {
    const { Sel: list, Set: set, Match: match } = row as { Sel: unknown; Set: Record<string, string>; Match: boolean };
    const selector = requirementsOf(list);
    const { $type: _, ...labels } = set;
    return selector === undefined ? true : matchesLabels(selector, labels) === match;
  },
  "TestLabelSelectorAsSelector tc": (row) => {
    const { in: given, out, expectErr = false } = row as { in: unknown; out: { $call?: string; args?: string[] }; expectErr?: boolean };
    if (given === null) return !matchesLabels(selectorOf(null), {});
    const { MatchLabels: matchLabels, MatchExpressions: list } = plain(given) as { MatchLabels?: object; MatchExpressions?: object[] };
    const matchExpressions = list?.map((one) => {
      const { Key: key, Operator: operator, Values: values } = one as { Key: string; Operator: string; Values: string[] };
      return { key, operator: operator.replace("LabelSelectorOp", ""), values };
    });
    const object = { ...(matchLabels && { matchLabels }), ...(matchExpressions && { matchExpressions }) } as Parameters<
      typeof validateLabelSelector
    >[0];
    if (expectErr) return validateLabelSelector(object, "f").length > 0;
    if (out.$call === "labels.Everything") return matchesLabels(selectorOf(object), {});
    const wanted = parseLabelSelector(out.args?.[0] ?? "");
    if (wanted.kind === "error") return false;
    const probes = [{}, { foo: "bar" }, { baz: "qux" }, { baz: "norf", foo: "bar" }, { baz: "other", foo: "bar" }];
    return probes.every((labels) => matchesLabels(selectorOf(object), labels) === matchesLabels(wanted.selector, labels));
  },
};

const fieldChecks: Readonly<Record<string, Check>> = {
  TestSelectorParse: (row, table) => accepts(row, table, parseFieldSelector),
};

/** Why nothing that is served depends on a table; the quotations are upstream's doc comments of what the table tries. */
const outOfScope: readonly (readonly [RegExp, string])[] = [
  [/CBOR/, 'an encoding behind a feature gate: "CBORServingAndStorage … alpha"; the server says 415 to it'],
  [/TestFieldsV1Marshal|TestFieldsV1Unmarshal|TestIntOrStringMarshal/, "Go's own encoding of a struct in memory"],
  [/TestIsValidInterfaceAddress/, '"interface addresses … of the ResourceClaim\'s device status"; ResourceClaims are not served'],
  [
    /TestLexer|TestParserLookahead|TestParseOperator|SplitTerm|EscapeValue/,
    "a step within upstream's parser; the parsers' own tables are tried",
  ],
  [
    /TestToString|TestAdd$|TestSafeSort|TestSetSelectorString|RequiresExactMatch|ValidatedSelectorFromSet|TestRequirementEqual|TestMatchesNothing|TestTransform/,
    "methods of Go types; no request reaches them",
  ],
  [/TestRequirementConstructor/, "NewRequirement of Go programs; the server validates LabelSelectors (tried) and parses texts (tried)"],
  [/TestSelectorMatches|TestSetMatches/, "the objects of a table whose rows stand under `matches`"],
  [/TestLabelSelectorAsMap|TestSetMetaDataLabel/, "conversions for Go callers"],
  [/^TestParse$/, "intstr.Parse, for command-line flags of Go programs"],
  [/decQuantity|bigDecQuantity|intQuantity|TestDec|TestBigDec|benchmark|Example/, "constructors of Go values"],
  [
    /Quantity(Add|Sub|Neg|RoundUp|DeepCopy|Canocicalize|CmpInt64|PtrEqual|AsApproximate|AsFloat64)|TestParseQuantityString|MilliNewSet|NewSet|NewScaledSet|ScaledValue|^Test(Sub|Neg|Add|Mul)$|AddSubRoundTrip|NegateRoundTrip/,
    "arithmetic of Go values; no request reaches it",
  ],
];

test("every table", (context) => {
  if (!existsSync(file)) return context.skip("the shared acceptance cases are not beside this clone");
  const cases = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  const groups: readonly (readonly [string, Readonly<Record<string, Check>>])[] = [
    ["nameValidation", nameChecks],
    ["ipValidation", addressChecks],
    ["intstr", amountChecks],
    ["quantity", quantityChecks],
    ["labelSelectorAsSelector", selectorChecks],
    ["labelSelectors", selectorChecks],
    ["fieldSelectors", fieldChecks],
  ];
  const misses: string[] = [];
  const unexplained: string[] = [];
  let tried = 0;
  for (const [name, checks] of groups) {
    const group = cases[name] as readonly Table[] | { readonly tables: readonly Table[] };
    for (const { func, table, rows } of Array.isArray(group) ? group : (group as { tables: readonly Table[] }).tables) {
      const check = checks[`${func} ${table}`] ?? checks[func];
      if (check === undefined || !Array.isArray(rows)) {
        if (Array.isArray(rows) && rows.length > 0 && !isStructure(checks, func) && !outOfScope.some(([pattern]) => pattern.test(func)))
          unexplained.push(`${name} ${func} ${table}`);
        continue;
      }
      for (const row of rows) {
        tried++;
        if (!holds(check, row, table)) misses.push(`${name} ${func} ${table}: ${JSON.stringify(row)}`);
      }
    }
  }
  console.log(`names, addresses, quantities, selectors: ${tried - misses.length} of ${tried} shared rows`);
  expect(unexplained).toEqual([]);
  expect(misses).toEqual([]);
  expect(tried).toBeGreaterThan(400);
});

/** A literal within a test that is tried: `expect := Quantity{…}`. */
const isStructure = (checks: Readonly<Record<string, Check>>, func: string): boolean =>
  Object.keys(checks).some((key) => key.startsWith(`${func} `));

function holds(check: Check, row: unknown, table: string): boolean {
  try {
    return check(row, table);
  } catch {
    return false;
  }
}
