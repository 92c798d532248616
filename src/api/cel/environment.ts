/**
 * Expressions in CEL, with those of Kubernetes' libraries that can be had (apiserver `pkg/cel/library`): `isIP`, `isCIDR`, `isURL`, `isQuantity`, and of lists `isSorted`, `sum`, `min`, `max`, `indexOf`, `lastIndexOf`. Regular expressions take linear time or are refused.
 */
import { createRequire } from "node:module";
import type { Environment } from "@marcbachmann/cel-js";
import { errorMessage } from "../../lib/errors.ts";
import { parseCidr, parseIp } from "../../lib/ip.ts";
import { compilePattern } from "../pattern.ts";
import { parseQuantity } from "../quantity.ts";

export type Evaluate = (context: Readonly<Record<string, unknown>>) => unknown;

/** Longer ones are not compiled. */
const maxExpression = 4096;

const environments = new Map<string, Environment>();

/** Throws an Error that says why the text is no expression over these variables, each of any type. */
export function compileCel(text: string, variables: readonly string[]): Evaluate {
  if (text.length > maxExpression) throw new Error(`longer than ${maxExpression} characters`);
  const plain = outsideOfTexts(text.replace(hasOfElement, "('$2' in $1)"), (code) => code.replace(/\.matches(?=\s*\()/g, ".matchesInTime"));
  return environment(variables).parse(plain) as unknown as Evaluate;
}

/** Literals stay as they are. */
function outsideOfTexts(text: string, change: (code: string) => string): string {
  return text
    .split(/("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/s)
    .map((piece, index) => (index % 2 === 0 ? change(piece) : piece))
    .join("");
}

/** The library's own `matches` takes as long as V8's engine does, and reads another dialect. */
function matchesInTime(text: string, source: string): boolean {
  const pattern = compilePattern(source);
  if (pattern === undefined) throw new Error(`Invalid regular expression: ${source}`);
  return pattern(text);
}

/** What went wrong in an evaluation or compilation: the first line, as Go's library begins it. */
export function celFault(error: unknown): string {
  const [line = ""] = errorMessage(error).split("\n");
  return line.charAt(0).toLowerCase() + line.slice(1);
}

/** `has(self.matches[0].path)`: the library's macro takes names only; asking the element itself says the same. */
const hasOfElement = /\bhas\(\s*([A-Za-z_][\w.]*\[\w+\](?:\.\w+|\[\w+\])*)\.(\w+)\s*\)/g;

/** Read in when the first expression is: a start without any never does. */
function environment(variables: readonly string[]): Environment {
  const key = variables.join();
  const known = environments.get(key);
  if (known !== undefined) return known;
  const { Environment: Cel } = createRequire(import.meta.url)("@marcbachmann/cel-js") as typeof import("@marcbachmann/cel-js");
  const made = new Cel({
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
    limits: { maxAstNodes: 2000, maxDepth: 64, maxListElements: 200, maxMapEntries: 200, maxCallArguments: 16 },
  })
    .registerFunction("isIP(string): bool", (text: string) => parseIp(text) !== undefined)
    .registerFunction("isCIDR(string): bool", (text: string) => parseCidr(text) !== undefined)
    .registerFunction("isURL(string): bool", (text: string) => URL.canParse(text))
    .registerFunction("isQuantity(string): bool", (text: string) => parseQuantity(text) !== undefined)
    .registerFunction("string.matchesInTime(string): bool", matchesInTime)
    .registerFunction("list.isSorted(): bool", (items: readonly Ordered[]) =>
      items.every((item, i) => i === 0 || (items[i - 1] as Ordered) <= item),
    )
    .registerFunction("list.sum(): dyn", sum)
    .registerFunction("list.min(): dyn", (items: readonly Ordered[]) => best(items, (a, b) => a < b, "min"))
    .registerFunction("list.max(): dyn", (items: readonly Ordered[]) => best(items, (a, b) => a > b, "max"))
    .registerFunction("list.indexOf(dyn): int", (items: readonly unknown[], item: unknown) => BigInt(items.indexOf(item)))
    .registerFunction("list.lastIndexOf(dyn): int", (items: readonly unknown[], item: unknown) => BigInt(items.lastIndexOf(item)));
  for (const name of variables) made.registerVariable(name, "dyn");
  environments.set(key, made);
  return made;
}

type Ordered = bigint | number | string;

function sum(items: readonly (bigint | number)[]): bigint | number {
  if (items.every((item): item is bigint => typeof item === "bigint")) return items.reduce((all, item) => all + item, 0n);
  return items.reduce<number>((all, item) => all + Number(item), 0);
}

function best(items: readonly Ordered[], goesBefore: (a: Ordered, b: Ordered) => boolean, what: string): Ordered {
  const [first, ...rest] = items;
  if (first === undefined) throw new Error(`${what} called on empty list`);
  return rest.reduce((found, item) => (goesBefore(item, found) ? item : found), first);
}
